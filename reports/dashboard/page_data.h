// Run records as the data of the page: columns, with every text once.
#ifndef REPORTS_DASHBOARD_PAGE_DATA_H_
#define REPORTS_DASHBOARD_PAGE_DATA_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/run_record.h"

namespace xdna::dashboard {

// Real-time factor to reach, and the seconds of speech in a window: 136.4 ms.
inline constexpr double kTargetRtf = 220;
inline constexpr double kWindowSeconds = 30;

struct PageRecord {
  std::string series;  // the key that the record's series goes by today
  const bench::RunRecord* record = nullptr;
  std::int64_t date = 0;  // seconds since 1970, UTC: see ParseDate
};

struct PageInput {
  std::vector<PageRecord> records;   // in any order
  std::vector<std::string> sources;  // names of their files
  std::int64_t generated = 0;        // seconds since 1970, UTC
};

// What page/data.js decodes: "text" (each text once), "series" (nine indices into text each),
// "environments" (each once, without date and load), "columns" (one array a field, one element a
// record, the oldest record first; numbers to six digits), "steps" (of each series; on each
// machine class, where measured), "claims" and "target".
nlohmann::json PageData(const PageInput& input);

// Seconds since 1970. Throws kCorrupt for what is not YYYY-MM-DDTHH:MM:SSZ.
std::int64_t ParseDate(const std::string& date);

}  // namespace xdna::dashboard

#endif  // REPORTS_DASHBOARD_PAGE_DATA_H_
