#include "device/array/overlay.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <functional>
#include <string>

#include "base/error.h"
#include "device/array/overlay_builder.h"
#include "device/array/overlay_routes.h"

namespace xdna::device {
namespace {

// shim -> memory tile -> core -> shim.
Overlay Valid() {
  OverlayBuilder b("valid");
  const Tile shim{0, kShimRow};
  const Tile mem{0, kMemRow};
  const Tile core{0, 2};
  const MemObjectId object = b.MemObject(mem, "panel", {1024}, 2);
  const int sum = b.Local(core, "sum", 64);
  b.Fifo({.name = "panel", .from = {.tile = shim}, .to = {{.tile = mem, .object = object}}});
  const FifoId in = b.Fifo({.name = "in",
                            .object_bytes = 1024,
                            .from = {.tile = mem, .object = object},
                            .to = {{.tile = core}}});
  const FifoId out =
      b.Fifo({.name = "out", .object_bytes = 512, .from = {.tile = core}, .to = {{.tile = shim}}});
  b.Run(core,
        {Loop(Rtp(0),
              {Acquire(b.In(in)), Acquire(b.Out(out)),
               Call("k", {Object(b.In(in)), Memory(sum), Object(b.Out(out)), Number(First())}),
               Release(b.In(in)), Release(b.Out(out))})},
        1, 4000);
  return b.Finish();
}

// The reason why a changed overlay is refused.
std::string Refused(const std::function<void(Overlay&)>& change) {
  Overlay overlay = Valid();
  change(overlay);
  const Fit fit = CheckOverlay(overlay);
  EXPECT_FALSE(fit);
  return fit.reason;
}

Statement& InLoop(Overlay& o, std::size_t i) { return o.programs[0].body[0].body[i]; }

#define EXPECT_HAS(text, part)                               \
  do {                                                       \
    const std::string whole = (text);                        \
    EXPECT_NE(whole.find(part), std::string::npos) << whole; \
  } while (false)

TEST(Overlay, NamesOfTiles) {
  EXPECT_EQ((Tile{1, 3}.name()), "core(1,3)");
  EXPECT_EQ((Tile{0, 1}.name()), "mem(0,1)");
  EXPECT_EQ((Channel{{2, 0}, true, 1}.name()), "shim(2,0) MM2S 1");
  EXPECT_EQ(TileLimitsOf(Engine::kMem).descriptors, 48u);
  EXPECT_EQ(TileLimitsOf(Engine::kShim).memory_bytes, 0u);
}

TEST(Overlay, MemoryIsLimitedAndNotShared) {
  EXPECT_TRUE(CheckOverlay(Valid()));
  // buffers: panel.0, panel.1, sum, in.0, in.1, out.0, out.1
  EXPECT_HAS(Refused([](Overlay& o) { o.buffers[6].bytes = 70000; }),
             "overlay valid: memory of core(0,2): stack 1024 + sum 64 + in.0 1024 + in.1 1024 + "
             "out.0 512 + out.1 70000 + parameters 4 = 73652 B > 65536 B");
  EXPECT_HAS(Refused([](Overlay& o) { o.buffers[6].address = 65056; }),
             "out.1 ends at 65568 > 65536 B");
  EXPECT_HAS(Refused([](Overlay& o) { o.buffers[4].address -= 32; }),
             "in.1 at 2080 overlaps in.0, which ends at 2112");
  EXPECT_HAS(Refused([](Overlay& o) { o.programs[0].stack_bytes = 2000; }),
             "sum at 1024 overlaps stack, which ends at 2000");
  EXPECT_HAS(Refused([](Overlay& o) { o.buffers[6].address += 4; }), "is no multiple of 32");
  EXPECT_HAS(Refused([](Overlay& o) { o.buffers[1].bytes = 600000; }),
             "memory of mem(0,1): panel.0 1024 + panel.1 600000 = 601024 B > 524288 B");
  EXPECT_HAS(Refused([](Overlay& o) { o.buffers[0].tile = {0, 0}; }), "a shim has no memory");
  EXPECT_HAS(Refused([](Overlay& o) { o.buffers[0].tile = {4, 1}; }), "no tile at column 4");
  EXPECT_HAS(Refused([](Overlay& o) { o.buffers[0].bytes = 0; }), "has 0 bytes");
  EXPECT_HAS(Refused([](Overlay& o) { o.programs[0].program_bytes = 16385; }),
             "core(0,2): program of 16385 B > 16384 B");
}

TEST(Overlay, LocksAndDescriptorsAreCounted) {
  EXPECT_HAS(Refused([](Overlay& o) { o.locks[2].id = 16; }),
             "lock in.free: id 16 of core(0,2), which has 16 locks");
  EXPECT_HAS(Refused([](Overlay& o) { o.locks[3].id = o.locks[2].id; }), "is taken");
  EXPECT_HAS(Refused([](Overlay& o) { o.locks[2].initial = 64; }), "initial value 64");
  // descriptors: panel in 0 1, panel out 2 3, in 4 5, out 6 7
  EXPECT_HAS(Refused([](Overlay& o) { o.descriptors[4].id = 16; }),
             "descriptor 16 of core(0,2): there are 16");
  EXPECT_HAS(Refused([](Overlay& o) { o.descriptors[4].id = 1; }), "the id is taken");
  EXPECT_HAS(Refused([](Overlay& o) { o.descriptors[0].id = 24; }),
             "mem(0,1) S2MM 0: descriptor 24: even channels have 0 to 23");
  EXPECT_HAS(Refused([](Overlay& o) { o.descriptors[4].offset = 4; }),
             "offset 4 + 1024 bytes = 1028 > 1024 of buffer in.0");
  EXPECT_HAS(Refused([](Overlay& o) { o.descriptors[4].bytes = 1022; }), "no whole 32-bit words");
  EXPECT_HAS(Refused([](Overlay& o) {
               o.descriptors[4].pattern.dims = {{16, 16}, {8, 1}};
             }),
             "128 elements of 4 bytes in the pattern = 512 bytes, not 1024");
  EXPECT_HAS(Refused([](Overlay& o) {
               o.descriptors[4].pattern.dims = {{2, 128}, {2, 64}, {2, 32}, {32, 1}};
               o.descriptors[4].pattern.dims[0].step = 4;
             }),
             "4 dimensions > 3 of a core descriptor");
  EXPECT_HAS(Refused([](Overlay& o) {
               o.descriptors[4].pattern.iteration = {2, 1};
             }),
             "offset 0 + 1028 bytes = 1028 > 1024 of buffer in.0");
  EXPECT_HAS(Refused([](Overlay& o) { o.descriptors[4].buffer = 0; }), "lies on mem(0,1)");
  EXPECT_HAS(Refused([](Overlay& o) { o.descriptors[4].buffer = 99; }), "there is no buffer 99");
  EXPECT_HAS(Refused([](Overlay& o) { o.descriptors[4].acquire.lock = 0; }),
             "its lock panel[0].free lies on mem(0,1)");
  EXPECT_HAS(Refused([](Overlay& o) { o.descriptors[4].release.value = 0; }), "by 0, not 1 to 63");
  EXPECT_HAS(Refused([](Overlay& o) { o.descriptors[4].next = 0; }), "the next one is on mem(0,1)");
  EXPECT_HAS(Refused([](Overlay& o) { o.descriptors[4].pattern.engine = Engine::kMem; }),
             "its pattern is for a memory tile");
  EXPECT_HAS(Refused([](Overlay& o) {
               o.descriptors[4].pattern.element_bytes = 1 << 30;
               o.descriptors[4].pattern.dims = {{std::size_t{1} << 40, 1}};
             }),
             "elements of 1073741824 bytes");
}

// Sent three times: filling it takes all uses of the one before, and makes as many.
TEST(Overlay, ObjectsUsedAgainCountTheirUses) {
  OverlayBuilder b("kept");
  const Tile shim{0, kShimRow}, mem{0, kMemRow}, core{0, 2};
  const MemObjectId object = b.MemObject(mem, "panel", {1024}, 1, 3);
  b.Fifo({.name = "panel", .from = {.tile = shim}, .to = {{.tile = mem, .object = object}}});
  const FifoId in = b.Fifo({.name = "in",
                            .object_bytes = 1024,
                            .from = {.tile = mem, .object = object},
                            .to = {{.tile = core}}});
  b.Run(core, {Acquire(b.In(in)), Release(b.In(in))}, 0, 4000);
  const Overlay overlay = b.Finish();
  EXPECT_EQ(overlay.locks[0].initial, 3);
  EXPECT_EQ(overlay.descriptors[0].acquire.value, 3);
  EXPECT_EQ(overlay.descriptors[0].release.value, 3);
  EXPECT_EQ(overlay.descriptors[1].acquire.value, 1);
  EXPECT_EQ(overlay.descriptors[1].release.value, 1);
  EXPECT_EQ(overlay.descriptors[1].acquire.lock, overlay.descriptors[0].release.lock);
  EXPECT_THROW(b.MemObject(mem, "two", {1024}, 2, 3), Error);
  EXPECT_THROW(b.MemObject(mem, "none", {1024}, 1, 0), Error);
}

TEST(Overlay, ChannelsAndRoutesLeadSomewhere) {
  // channels: shim MM2S, mem S2MM, mem MM2S, core S2MM, core MM2S, shim S2MM
  EXPECT_HAS(Refused([](Overlay& o) { o.channels[3].index = 2; }),
             "core(0,2) S2MM 2: there are 2 channels");
  EXPECT_HAS(Refused([](Overlay& o) { o.channels.push_back(o.channels[3]); }), "is there twice");
  EXPECT_HAS(Refused([](Overlay& o) { o.channels[3].first = -1; }), "there is no descriptor -1");
  EXPECT_HAS(Refused([](Overlay& o) { o.channels[3].first = 6; }), "descriptor 2's pattern sends");
  EXPECT_HAS(Refused([](Overlay& o) { o.channels[0].first = 0; }), "starts with no descriptor");
  EXPECT_HAS(Refused([](Overlay& o) { o.routes.pop_back(); }), "core(0,2) MM2S 0 has no route");
  EXPECT_HAS(Refused([](Overlay& o) { o.routes[1].to[0] = 1; }), "two routes at mem(0,1) S2MM 0");
  EXPECT_HAS(Refused([](Overlay& o) { o.routes[1].to[0] = 42; }), "there is none");
  EXPECT_HAS(Refused([](Overlay& o) { o.routes[1].from = 1; }), "starts at mem(0,1) S2MM 0");
  EXPECT_HAS(Refused([](Overlay& o) { o.routes[1].packet_id = 32; }), "packet id 32");
  EXPECT_HAS(Refused([](Overlay& o) { o.routes[1].to.clear(); }), "without receivers");
}

TEST(Overlay, ProgramsUseWhatTheyHold) {
  EXPECT_HAS(Refused([](Overlay& o) { InLoop(o, 0).index = 5; }), "there is no port 5");
  EXPECT_HAS(Refused([](Overlay& o) { InLoop(o, 0).count = 3; }),
             "3 objects of port in, which has 2");
  EXPECT_HAS(Refused([](Overlay& o) { InLoop(o, 3).count = 2; }),
             "releases 2 objects of port in where 1 are acquired");
  EXPECT_HAS(Refused([](Overlay& o) { InLoop(o, 2).arguments[0].object = 1; }),
             "argument 0 of k: object 1 of port in is not acquired: 1 are");
  EXPECT_HAS(Refused([](Overlay& o) { InLoop(o, 2).arguments[0].offset = 1024; }),
             "offset 1024 >= 1024 bytes of buffer in.0");
  EXPECT_HAS(Refused([](Overlay& o) { InLoop(o, 2).arguments[1].index = 0; }),
             "buffer panel.0 on mem(0,1) is out of the core's reach");
  EXPECT_HAS(Refused([](Overlay& o) { InLoop(o, 2).arguments[3].number = First(1); }),
             "there is no loop 1 levels out");
  EXPECT_HAS(Refused([](Overlay& o) { o.programs[0].rtps = 0; }), "there is no parameter 0");
  EXPECT_HAS(Refused([](Overlay& o) { o.programs[0].body[0].times = Constant(-1); }),
             "a loop of -1 times");
  EXPECT_HAS(Refused([](Overlay& o) {
               o.programs.push_back({.tile = {0, 2}, .stack_bytes = 0});
             }),
             "core(0,2) has two programs");
  EXPECT_HAS(Refused([](Overlay& o) { o.programs[0].tile = {0, 1}; }), "which is no core");
  EXPECT_HAS(Refused([](Overlay& o) { o.programs[0].ports[0].buffers.clear(); }),
             "port in: it has no buffers");
  EXPECT_HAS(Refused([](Overlay& o) {
               for (int i = 0; i < 8; ++i) {
                 o.programs[0].body = {Loop(Constant(1), o.programs[0].body)};
               }
             }),
             "more than 8 loops");
  // An object that an earlier pass holds may be used, and so may one that is never released: that
  // is a deadlock later on, and for the array to find.
  Overlay held = Valid();
  held.programs[0].body[0].body.erase(held.programs[0].body[0].body.begin() + 3);
  EXPECT_TRUE(CheckOverlay(held)) << CheckOverlay(held).reason;
}

// Routes only, from a core to another one.
class Streams {
 public:
  void Add(Tile from, const std::vector<Tile>& to, int packet_id = -1) {
    Route route{.from = Channel(from, true), .packet_id = packet_id};
    for (const Tile tile : to) route.to.push_back(Channel(tile, false));
    overlay_.routes.push_back(route);
  }
  RoutePlan Plan() const { return PlanRoutes(overlay_); }

 private:
  int Channel(Tile tile, bool sends) {
    overlay_.channels.push_back({tile, sends, static_cast<unsigned>(overlay_.channels.size())});
    return static_cast<int>(overlay_.channels.size()) - 1;
  }
  Overlay overlay_;
};

TEST(Routes, CountSwitches) {
  Streams s;
  s.Add({0, 0}, {{0, 1}});
  s.Add({0, 1}, {{0, 2}, {0, 3}, {0, 4}, {0, 5}});
  s.Add({0, 1}, {{3, 2}});
  const RoutePlan plan = s.Plan();
  ASSERT_TRUE(plan.fit) << plan.fit.reason;
  EXPECT_EQ(plan.switches, (std::vector<int>{2, 5, 5}));
}

TEST(Routes, SixStreamsGoUpAndFourDown) {
  Streams up;
  for (int i = 0; i < 6; ++i) up.Add({0, 1}, {{0, 2}});
  EXPECT_TRUE(up.Plan().fit);
  up.Add({0, 1}, {{0, 5}});
  EXPECT_HAS(up.Plan().fit.reason,
             "the switch of mem(0,1) is out of ports to the north: 6 of 6 are taken");
  Streams down;
  for (int i = 0; i < 4; ++i) down.Add({0, 2}, {{0, 1}});
  EXPECT_TRUE(down.Plan().fit);
  down.Add({0, 3}, {{0, 0}});
  EXPECT_HAS(down.Plan().fit.reason, "to the south: 4 of 4 are taken");
}

TEST(Routes, OtherRowsAreTried) {
  Streams s;
  // Four streams fill row 2, the next ones go along row 3, until the six ways up are taken.
  for (int i = 0; i < 6; ++i) s.Add({0, 1}, {{1, 2}});
  const RoutePlan plan = s.Plan();
  ASSERT_TRUE(plan.fit) << plan.fit.reason;
  EXPECT_EQ(plan.switches, (std::vector<int>{3, 3, 3, 3, 5, 5}));
  // Then around by the shims.
  s.Add({0, 1}, {{1, 3}});
  EXPECT_TRUE(s.Plan().fit);
}

TEST(Routes, PacketsAndBroadcastsShareStreams) {
  Streams packets;
  for (int i = 0; i < 12; ++i) packets.Add({0, 1}, {{0, 2}}, i);
  for (int i = 0; i < 5; ++i) packets.Add({0, 1}, {{0, 2}});
  EXPECT_TRUE(packets.Plan().fit);
  packets.Add({0, 1}, {{0, 2}});
  EXPECT_FALSE(packets.Plan().fit);
  Streams broadcast;
  for (int i = 0; i < 6; ++i) broadcast.Add({0, 1}, {{0, 2}, {0, 3}, {0, 4}, {0, 5}});
  EXPECT_TRUE(broadcast.Plan().fit);
}

}  // namespace
}  // namespace xdna::device
