// What happened when: intervals on named lanes, written for ui.perfetto.dev and chrome://tracing.
#ifndef BASE_TIMELINE_H_
#define BASE_TIMELINE_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace xdna {

class Timeline {
 public:
  struct Interval {
    int lane = 0;
    const char* what = "";  // "compute", "wait for input", ...; a literal
    std::string detail;     // the kernel's name, ...; shown in place of `what` where there is one
    double begin_us = 0;
    double end_us = 0;
    std::vector<std::pair<const char*, double>> numbers = {};  // by literals: {"layer", 3}
  };

  // "measured" or "modelled": stands behind the name of each group and in the file's head.
  explicit Timeline(std::string provenance) : provenance_(std::move(provenance)) {}

  // A lane of a group ("host", "firmware", "shim", "core"); groups and lanes are shown in order of
  // their making. Intervals of a lane lie apart or within each other.
  int Lane(const std::string& group, const std::string& name);
  void Add(Interval interval);
  // What the time 0 of later intervals is, for parts that start their own clock at 0.
  void SetOrigin(double us) { origin_us_ = us; }
  double origin() const { return origin_us_; }
  // What the file's head says beside the provenance: {"git_revision", "..."}.
  void SetFact(const std::string& name, const std::string& value) { facts_[name] = value; }

  const std::vector<Interval>& intervals() const { return intervals_; }

  // The JSON object format of Chrome's "Trace Event Format" (its document of that name): "M" events
  // name groups as processes and lanes as threads, "X" events are the intervals, in microseconds
  // with whole nanoseconds; "otherData" has the facts. Throws kUnavailable.
  void Write(const std::string& path) const;

 private:
  struct Name {
    std::string group, name;
  };
  std::string provenance_;
  std::map<std::string, std::string> facts_;
  std::vector<Name> lanes_;
  std::vector<Interval> intervals_;
  double origin_us_ = 0;
};

}  // namespace xdna

#endif  // BASE_TIMELINE_H_
