// The last run on one screen.
#ifndef REPORTS_SUMMARY_H_
#define REPORTS_SUMMARY_H_

#include <string>

#include "reports/policy.h"
#include "reports/records.h"

namespace xdna::reports {

// The newest record of each series among those of the newest record's revision; and what they are
// compared with: the newest before them, of another revision where there is one.
struct LastRun {
  RecordSet now, base;
};
LastRun FindLastRun(const RecordSet& set);

// At most 24 lines: RTF now, change since the base, what bounds it, what to do next. `base` may be
// empty. Throws kInvalidArgument where `now` is.
std::string Summary(const RecordSet& now, const RecordSet& base, const Policy& policy, bool color);

}  // namespace xdna::reports

#endif  // REPORTS_SUMMARY_H_
