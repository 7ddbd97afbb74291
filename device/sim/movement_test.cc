// Data through the array: patterns, broadcast, joining, padding, loops, the same bits each time.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "base/thread_pool.h"
#include "device/array/instructions.h"
#include "device/array/overlay_builder.h"
#include "device/sim/pattern_cursor.h"
#include "device/sim/sim_array.h"
#include "device/sim/sim_test_util.h"

namespace xdna::device {
namespace {

using Words = std::vector<std::int32_t>;

TEST(SimMovement, PassesThroughACoreInTwoRuns) {
  const AddOverlay add = MakeAdd({.bias = 7});
  SimArray array(add.overlay, PlainTiming(), {});
  for (int run = 0; run < 2; ++run) {
    Words x = Counting(640);
    Words y(640);
    const ArrayResult result = array.Run(AddStream(add, 640 * 4), std::vector{Bytes(x), Bytes(y)});
    ASSERT_TRUE(result.completed) << result.reason;
    for (std::size_t i = 0; i < y.size(); ++i) ASSERT_EQ(y[i], x[i] + 7);
    EXPECT_EQ(result.bytes_read, 2560u);
    EXPECT_EQ(result.bytes_written, 2560u);
    EXPECT_EQ(result.kernel_calls, 10u);
  }
}

TEST(SimMovement, TasksRepeatAlongTheIteration) {
  const AddOverlay add = MakeAdd({.words = 4});
  Words x = Counting(64);
  Words y(16, -1);
  std::vector<Instruction> stream;
  // Words 0..3, 16..19, 32..35, then 0..3 again.
  stream.emplace_back(WriteDescriptor{
      .bytes = 16, .pattern = {.engine = Engine::kShim, .sends = true, .iteration = {3, 16}}});
  stream.emplace_back(PushTask{.sends = true, .repeat = 4});
  Push({add.out, 1, 64, 1}, stream);
  stream.push_back(Await(add.out));
  SimArray array(add.overlay, PlainTiming(), {});
  const ArrayResult result = array.Run(stream, std::vector{Bytes(x), Bytes(y)});
  ASSERT_TRUE(result.completed) << result.reason;
  EXPECT_EQ(y, (Words{1, 2, 3, 4, 17, 18, 19, 20, 33, 34, 35, 36, 1, 2, 3, 4}));
}

// A column's memory tile spreads an object over its four cores, and joins what they make of it.
struct SpreadOverlay {
  Overlay overlay;
  Channel in, out;
};
SpreadOverlay MakeSpread(bool broadcast) {
  RegisterTestKernels();
  OverlayBuilder b("spread");
  constexpr std::size_t kPart = 256;
  const Tile shim{1, kShimRow};
  const Tile mem{1, kMemRow};
  const std::vector<std::size_t> four(4, kPart);
  const MemObjectId a =
      b.MemObject(mem, "a", broadcast ? std::vector<std::size_t>{kPart} : four, 2);
  const MemObjectId c = b.MemObject(mem, "c", four, 2);
  const FifoId in =
      b.Fifo({.name = "in", .from = {.tile = shim}, .to = {{.tile = mem, .object = a}}});
  std::vector<FifoEnd> cores;
  for (int i = 0; i < 4; ++i) cores.push_back({.tile = {1, kFirstCoreRow + i}});
  std::vector<FifoId> parts;
  if (broadcast) {
    parts.push_back(b.Fifo(
        {.name = "part", .object_bytes = kPart, .from = {.tile = mem, .object = a}, .to = cores}));
  }
  for (int i = 0; i < 4; ++i) {
    const Tile core = cores[static_cast<std::size_t>(i)].tile;
    if (!broadcast) {
      parts.push_back(b.Fifo({.name = "part",
                              .object_bytes = kPart,
                              .from = {.tile = mem, .object = a, .regions = {i}},
                              .to = {{.tile = core}}}));
    }
    const FifoId made = b.Fifo({.name = "made",
                                .object_bytes = kPart,
                                .from = {.tile = core},
                                .to = {{.tile = mem, .object = c, .regions = {i}}}});
    const int port = b.In(parts.back(), core);
    b.Run(core, {Acquire(port), Acquire(b.Out(made)),
                 Call("test_add", {Object(port), Object(b.Out(made)), Number(64),
                                   Number(1000 * (i + 1)), Number(20)}),
                 Release(port), Release(b.Out(made))});
  }
  const FifoId out =
      b.Fifo({.name = "out", .from = {.tile = mem, .object = c}, .to = {{.tile = shim}}});
  const Channel in_channel = b.ShimChannel(in);
  const Channel out_channel = b.ShimChannel(out);
  return {b.Finish(), in_channel, out_channel};
}

TEST(SimMovement, DistributesAndJoins) {
  const SpreadOverlay spread = MakeSpread(false);
  Words x = Counting(3 * 256);
  Words y(x.size());
  SimArray array(spread.overlay, PlainTiming(), {});
  const ArrayResult result = array.Run(AddStream({{}, spread.in, spread.out}, x.size() * 4),
                                       std::vector{Bytes(x), Bytes(y)});
  ASSERT_TRUE(result.completed) << result.reason;
  for (std::size_t i = 0; i < y.size(); ++i) {
    ASSERT_EQ(y[i], x[i] + 1000 * (static_cast<int>(i / 64 % 4) + 1));
  }
}

TEST(SimMovement, BroadcastsTheSameBitsWhateverThePool) {
  const SpreadOverlay spread = MakeSpread(true);
  Words x = Counting(64);
  std::vector<Instruction> stream;
  Push({spread.in, 0, 256, 0}, stream);
  Push({spread.out, 1, 1024, 1}, stream);
  stream.push_back(Await(spread.out));
  ThreadPool one(1), two(2);
  std::vector<ArrayResult> results;
  for (ThreadPool* pool : {static_cast<ThreadPool*>(nullptr), &one, &two}) {
    Words y(256);
    SimArray array(spread.overlay, PlainTiming(), {.pool = pool});
    results.push_back(array.Run(stream, std::vector{Bytes(x), Bytes(y)}));
    ASSERT_TRUE(results.back().completed) << results.back().reason;
    EXPECT_EQ(results.back().cycles, results.front().cycles);
    for (std::size_t i = 0; i < y.size(); ++i) {
      ASSERT_EQ(y[i], x[i % 64] + 1000 * (static_cast<int>(i / 64) + 1));
    }
  }
}

// shim -> memory tile -> shim, with a pattern at the memory tile's sending end.
Words ThroughMemTile(Words x, std::size_t object_words, const Pattern& pattern,
                     std::size_t out_words) {
  OverlayBuilder b("reshape");
  const Tile shim{0, kShimRow};
  const MemObjectId object = b.MemObject({0, kMemRow}, "o", {object_words * 4}, 2);
  const FifoId in = b.Fifo(
      {.name = "in", .from = {.tile = shim}, .to = {{.tile = {0, kMemRow}, .object = object}}});
  const FifoId out =
      b.Fifo({.name = "out",
              .from = {.tile = {0, kMemRow}, .object = object, .patterns = {pattern}},
              .to = {{.tile = shim}}});
  std::vector<Instruction> stream;
  Words y(out_words, -1);
  Push({b.ShimChannel(in), 0, x.size() * 4, 0}, stream);
  Push({b.ShimChannel(out), 1, y.size() * 4, 1}, stream);
  stream.push_back(Await(b.ShimChannel(out)));
  SimArray array(b.Finish(), PlainTiming(), {});
  const ArrayResult result = array.Run(stream, std::vector{Bytes(x), Bytes(y)});
  EXPECT_TRUE(result.completed) << result.reason;
  return y;
}

TEST(SimMovement, FourDimensionsTransposeBlocks) {
  // 16 x 16 words into blocks of 4 x 4, blocks in column order.
  const Pattern blocks{.dims = {{4, 4}, {4, 64}, {4, 16}, {4, 1}}};
  const Words y = ThroughMemTile(Counting(2 * 256), 256, blocks, 2 * 256);
  for (int o = 0, i = 0; o < 2; ++o) {
    for (int bc = 0; bc < 4; ++bc) {
      for (int br = 0; br < 4; ++br) {
        for (int r = 0; r < 4; ++r) {
          for (int c = 0; c < 4; ++c, ++i) {
            ASSERT_EQ(y[static_cast<std::size_t>(i)], 1 + o * 256 + (br * 4 + r) * 16 + bc * 4 + c);
          }
        }
      }
    }
  }
  const Pattern wrong{.dims = {{4, 4}, {4, 64}, {4, 12}, {4, 1}}};
  EXPECT_NE(ThroughMemTile(Counting(256), 256, wrong, 256),
            ThroughMemTile(Counting(256), 256, blocks, 256));
}

TEST(SimMovement, MemoryTilesInsertZeros) {
  // 2 rows of 3 words: a row of zeros before, one word before each row and two behind.
  const Pattern padded{.dims = {{2, 3, 1, 0}, {3, 1, 1, 2}}};
  EXPECT_EQ(ThroughMemTile(Counting(6), 6, padded, 18),
            (Words{0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 0, 0, 0, 4, 5, 6, 0, 0}));
}

TEST(SimMovement, RunTimeParametersCountLoops) {
  RegisterTestKernels();
  OverlayBuilder b("loops");
  const Tile core{0, 2};
  const Tile shim{0, kShimRow};
  const int sum = b.Local(core, "sum", 16);
  const int go = b.AddLock(core, "go");
  const FifoId in =
      b.Fifo({.name = "in", .object_bytes = 16, .from = {.tile = shim}, .to = {{.tile = core}}});
  const FifoId out =
      b.Fifo({.name = "out", .object_bytes = 16, .from = {.tile = core}, .to = {{.tile = shim}}});
  // Of each group of rtp 0 objects, the last one plus what its index and flags say.
  b.Run(core,
        {AcquireLock(go),
         Loop(Rtp(0), {Acquire(b.In(in)),
                       Call("test_add", {Object(b.In(in)), Memory(sum), Number(4),
                                         Number({Value::Kind::kIndex, 0}), Number(5)}),
                       Release(b.In(in))}),
         Acquire(b.Out(out)),
         Loop(Constant(1), {Call("test_add", {Memory(sum), Object(b.Out(out)), Number(4),
                                              Number(First()), Number(5)})}),
         Release(b.Out(out))},
        1);
  const Channel in_channel = b.ShimChannel(in);
  const Channel out_channel = b.ShimChannel(out);
  SimArray array(b.Finish(), PlainTiming(), {});
  for (const int times : {3, 5}) {
    Words x = Counting(20);
    Words y(4);
    std::vector<Instruction> stream;
    stream.emplace_back(WriteRtp{core, 0, times});
    stream.emplace_back(SetLock{core, 0, 1});
    Push({in_channel, 0, static_cast<std::size_t>(times) * 16, 0}, stream);
    Push({out_channel, 1, 16, 1}, stream);
    stream.push_back(Await(out_channel));
    const ArrayResult result = array.Run(stream, std::vector{Bytes(x), Bytes(y)});
    ASSERT_TRUE(result.completed) << result.reason;
    EXPECT_EQ(y[0], (times - 1) * 4 + 1 + (times - 1) + 1);
  }
}

TEST(SimMovement, ACoreWithoutWorkWaitsForItsParameter) {
  RegisterTestKernels();
  OverlayBuilder b("spin");
  const Tile core{0, 2};
  const Tile shim{0, kShimRow};
  const FifoId in =
      b.Fifo({.name = "in", .object_bytes = 16, .from = {.tile = shim}, .to = {{.tile = core}}});
  const FifoId out =
      b.Fifo({.name = "out", .object_bytes = 16, .from = {.tile = core}, .to = {{.tile = shim}}});
  b.Run(core,
        {Loop(Rtp(0), {Acquire(b.In(in)), Acquire(b.Out(out)),
                       Call("test_add", {Object(b.In(in)), Object(b.Out(out)), Number(4),
                                         Number(Last()), Number(5)}),
                       Release(b.In(in)), Release(b.Out(out))})},
        1);
  const AddOverlay add{{}, b.ShimChannel(in), b.ShimChannel(out)};
  std::vector<Instruction> stream = AddStream(add, 32);
  stream.insert(stream.begin(), WriteRtp{core, 0, 2});
  Words x = Counting(8);
  Words y(8);
  SimArray array(b.Finish(), PlainTiming(), {});
  const ArrayResult result = array.Run(stream, std::vector{Bytes(x), Bytes(y)});
  ASSERT_TRUE(result.completed) << result.reason;
  EXPECT_EQ(y, (Words{1, 2, 3, 4, 6, 7, 8, 9}));
}

// A pattern with random dims, some of them contiguous.
Pattern RandomPattern(std::mt19937& random, bool zeros) {
  const auto upto = [&](unsigned n) { return random() % (n + 1); };
  Pattern p{.engine = Engine::kMem, .sends = true, .element_bytes = upto(1) == 0 ? 4u : 2u};
  const std::size_t even = p.element_bytes == 2 ? 2 : 1;
  std::size_t run = (1 + upto(5)) * even;
  p.dims.push_back({run, 1});
  for (std::size_t i = upto(3); i > 0; --i) {
    const std::size_t count = 1 + upto(4);
    const std::size_t step = upto(2) == 0 ? run : (1 + upto(40)) * even;
    p.dims.insert(p.dims.begin(), {count, step});
    run *= count;
  }
  if (!zeros) return p;
  for (std::size_t i = 0; i < p.dims.size() && i < 3; ++i) {
    Dim& dim = p.dims[p.dims.size() - 1 - i];
    dim.zeros_before = upto(2) * static_cast<unsigned>(i == 0 ? even : 1);
    dim.zeros_after = upto(2) * static_cast<unsigned>(i == 0 ? even : 1);
  }
  return p;
}

// The byte of memory behind each byte of the stream, straight from the definition; -1: zero.
std::vector<std::ptrdiff_t> Oracle(const Pattern& p, std::size_t dim = 0,
                                   std::ptrdiff_t offset = 0) {
  std::vector<std::ptrdiff_t> bytes;
  if (dim == p.dims.size()) {
    for (unsigned i = 0; i < p.element_bytes; ++i) bytes.push_back(offset < 0 ? -1 : offset + i);
    return bytes;
  }
  const Dim& d = p.dims[dim];
  const std::size_t steps = d.zeros_before + d.count + d.zeros_after;
  for (std::size_t i = 0; i < steps; ++i) {
    const bool zero = offset < 0 || i < d.zeros_before || i >= d.zeros_before + d.count;
    const auto at =
        zero
            ? -1
            : offset + static_cast<std::ptrdiff_t>((i - d.zeros_before) * d.step * p.element_bytes);
    const auto inner = Oracle(p, dim + 1, at);
    bytes.insert(bytes.end(), inner.begin(), inner.end());
  }
  return bytes;
}

TEST(SimMovement, RandomPatternsMatchTheirDefinition) {
  std::mt19937 random(5);
  std::vector<std::byte> memory(1 << 16);
  for (std::byte& b : memory) b = static_cast<std::byte>(random());
  for (int round = 0; round < 2000; ++round) {
    const Pattern p = RandomPattern(random, round % 2 == 0);
    ASSERT_TRUE(p.fits()) << p.fits().reason;
    const std::vector<std::ptrdiff_t> oracle = Oracle(p);
    const PatternWalk walk = MakeWalk(p, oracle.size());
    PatternCursor cursor;
    cursor.Start(&walk, memory.data());
    // In pieces, as streams move them.
    std::vector<std::byte> stream(oracle.size());
    for (std::size_t at = 0; at < stream.size();) {
      const std::size_t n = std::min<std::size_t>(stream.size() - at, 4 * (1 + random() % 50));
      if (const std::byte* piece = cursor.Piece(n)) {
        std::memcpy(stream.data() + at, piece, n);
      } else {
        cursor.Read(stream.data() + at, n);
      }
      at += n;
    }
    for (std::size_t i = 0; i < stream.size(); ++i) {
      ASSERT_EQ(stream[i],
                oracle[i] < 0 ? std::byte{0} : memory[static_cast<std::size_t>(oracle[i])]);
    }
    if (round % 2 == 0) continue;
    std::vector<std::byte> written(memory.size());
    std::vector<std::byte> expected(memory.size());
    cursor.Start(&walk, written.data());
    const std::size_t first = stream.size() / 8 * 4;
    cursor.Write(stream.data(), first);
    cursor.Write(stream.data() + first, stream.size() - first);
    for (std::size_t i = 0; i < stream.size(); ++i) {
      expected[static_cast<std::size_t>(oracle[i])] = stream[i];
    }
    ASSERT_EQ(written, expected);
  }
}

}  // namespace
}  // namespace xdna::device
