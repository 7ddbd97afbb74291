// A schedule as data: which part of the encoder runs on which device, by which design, in which
// batches, and what is kept between runs. One JSON file each (encoder/schedules/), or a user's.
#ifndef ENCODER_SCHEDULE_H_
#define ENCODER_SCHEDULE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "device/reuse.h"

namespace xdna::encoder {

enum class Place : std::uint8_t { kCpu, kNpu };

// How scores, softmax and their product with V run.
enum class AttentionForm : std::uint8_t {
  kHost,     // three dispatches a head, everything through the host
  kChained,  // three designs a head, scores in device memory; the host transposes K
  kFused,    // one design, scores never leave a core
};

// A number that no source gives: chosen so that what is known comes out.
struct Assumption {
  std::string name;  // "dispatch_us", "outside_ms", or free text for what has no number
  double value = 0;
  bool fitted = false;
  std::string why;
};

struct Schedule {
  std::string name;
  std::string claim;  // "0.12x measured", as the original's plan or report says
  double claimed_rtf = 0;
  std::string description;  // what changes against the schedule before, and how that was read

  std::string precision = "bf16";  // of products: "bf16" or "int8"
  Place stem = Place::kNpu;
  Place qkv = Place::kNpu;
  AttentionForm attention = AttentionForm::kFused;
  Place out = Place::kNpu;
  Place ffn = Place::kNpu;  // GELU included
  // The kernel of normalisations: one that cores can call by rows, or "add_norm_f32", which takes
  // the residual sum with it.
  std::string norm = "add_norm_f32";
  std::int64_t norm_batch = 0;                         // rows of a dispatch; 0: all
  std::int64_t columns = 4;                            // of the array: 1, 2 or 4
  std::int64_t norm_columns = 4;                       // of normalisations: at most `columns`
  std::int64_t tile_m = 64, tile_k = 64, tile_n = 64;  // of products
  std::int64_t queries = 64, keys = 48;                // of the fused attention
  // GELU by the table of kernels/gelu, a sixteenth of the cycles of the erf polynomial's.
  bool table_gelu = false;
  device::Keep keep = device::Keep::kRunlists;  // from run to run
  bool resident = true;  // activations stay in device memory from op to op, where both are NPU's
  bool one_run = false;  // a window is one run with one instruction stream
  bool overlap = false;  // the host prepares the next piece while the NPU works
  std::vector<Assumption> assumptions;

  // 0 where the schedule has none of that name.
  double Assumed(std::string_view assumption) const;
  // All of it runs on the array, in one context.
  bool WholeOnNpu() const;
};

// Errors are kCorrupt, begin with the field's name and say what would be right.
Schedule ParseSchedule(std::string_view json);
std::string ScheduleJson(const Schedule& schedule);

// Those of this program, in the ladder's order.
std::vector<std::string> ScheduleNames();
// A name of these, or the path of a file (has a '/' or ends in .json). Throws kNotFound, listing
// the names.
Schedule FindSchedule(const std::string& name_or_path);

// As files have it: "fresh", "context", "runlist".
std::string KeepName(device::Keep keep);

// For people: every field in words, assumptions with their origin; and what differs between two.
std::string Explain(const Schedule& schedule);
std::string ExplainAgainst(const Schedule& schedule, const Schedule& other);

}  // namespace xdna::encoder

#endif  // ENCODER_SCHEDULE_H_
