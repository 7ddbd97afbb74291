// The page: template, style, scripts, plotting library and data in one file.
#ifndef REPORTS_DASHBOARD_PAGE_H_
#define REPORTS_DASHBOARD_PAGE_H_

#include <nlohmann/json.hpp>
#include <string>

namespace xdna::dashboard {

// HTML that needs no other file and no network. Throws kUnavailable where the plotting library
// could not be fetched, with the reason, and kNotFound where the program is run without its
// runfiles.
std::string MakePage(const nlohmann::json& data);

}  // namespace xdna::dashboard

#endif  // REPORTS_DASHBOARD_PAGE_H_
