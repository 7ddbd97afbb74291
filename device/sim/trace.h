// What happened when, in virtual time: intervals on named lanes, written as a Chrome/Perfetto
// trace.
#ifndef DEVICE_SIM_TRACE_H_
#define DEVICE_SIM_TRACE_H_

#include <string>
#include <vector>

namespace xdna::device {

class Trace {
 public:
  struct Interval {
    int lane = 0;
    const char* what = "";  // "compute", "wait for input", ...; a literal
    std::string detail;     // the kernel's name, ...
    double begin_us = 0;
    double end_us = 0;
  };

  // A lane of a group ("host", "firmware", "shim", "core"); lanes are shown in order of their
  // making.
  int Lane(const std::string& group, const std::string& name);
  void Add(Interval interval);
  // What the time 0 of later intervals is, for parts of the device that start their own clock at 0.
  void SetOrigin(double us) { origin_us_ = us; }
  double origin() const { return origin_us_; }

  const std::vector<Interval>& intervals() const { return intervals_; }
  // Chrome's JSON array format (Trace Event Format): complete events, microseconds, and the lanes'
  // names. Throws kUnavailable.
  void Write(const std::string& path) const;

 private:
  struct Name {
    std::string group, name;
  };
  std::vector<Name> lanes_;
  std::vector<Interval> intervals_;
  double origin_us_ = 0;
};

}  // namespace xdna::device

#endif  // DEVICE_SIM_TRACE_H_
