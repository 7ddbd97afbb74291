#include "encoder/graph.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "encoder/inputs.h"
#include "encoder/weights/geometry.h"
#include "encoder/weights/model.h"
#include "ops/registry.h"

namespace xdna::encoder {
namespace {

TEST(Graph, HasTheWorkOfThePublishedEncoder) {
  const Geometry base = KnownGeometry("whisper-base");
  const auto matrix_flops = [](const EncoderShape& shape) {
    double flops = 0;
    for (const Node& node : EncoderGraph(shape)) {
      if (node.op != "add" && node.op != "layer_norm")
        flops += ops::FindOp(node.op).flops(node.dims);
    }
    return flops;
  };
  // Counted by hand for d 512, 6 layers: stem, 6 (8 m d^2 + 4 m^2 d + 16 m d^2).
  EXPECT_NEAR(matrix_flops(WhisperShape(base)), 87.37e9, 0.01e9);
  EXPECT_NEAR(matrix_flops(Seed3001Shape(base)), 224.20e9, 0.01e9);
}

TEST(Graph, EveryInputIsAnEarlierNodeAndEveryOperandIsThere) {
  for (const char* name : {"whisper-tiny", "whisper-base", "whisper-large-v3"}) {
    const Geometry geometry = KnownGeometry(name);
    for (const EncoderShape& shape : {WhisperShape(geometry), Seed3001Shape(geometry)}) {
      std::set<std::string> known = {"mel"};
      const std::vector<Node> graph = EncoderGraph(shape);
      for (const Node& node : graph) {
        const ops::Contract& op = ops::FindOp(node.op);
        EXPECT_EQ(node.inputs.size() + node.weights.size(), op.inputs.size()) << node.name;
        for (const ops::Operand& operand : op.inputs) {
          EXPECT_TRUE(node.inputs.contains(operand.name) || node.weights.contains(operand.name))
              << node.name << " lacks " << operand.name;
          ops::ShapeOf(operand, node.dims);  // throws if a symbol has no value
        }
        for (const auto& [operand, input] : node.inputs)
          EXPECT_TRUE(known.contains(input)) << input;
        EXPECT_TRUE(known.insert(node.name).second) << node.name << " is there twice";
      }
      EXPECT_EQ(graph.back().name, "ln_post");
    }
  }
}

TEST(Graph, WeightsHaveTheShapesOfTheirOperands) {
  const Model model = SyntheticModel(KnownGeometry("whisper-tiny"), 1);
  for (const EncoderShape& shape :
       {WhisperShape(model.geometry()), Seed3001Shape(model.geometry())}) {
    for (const Node& node : EncoderGraph(shape)) {
      for (const ops::Operand& operand : ops::FindOp(node.op).inputs) {
        const auto weight = node.weights.find(operand.name);
        if (weight == node.weights.end()) continue;
        EXPECT_EQ(LoadWeight(model, shape, weight->second).shape(),
                  ops::ShapeOf(operand, node.dims))
            << weight->second;
      }
    }
  }
}

TEST(ChooseShape, NamesWhatThereIs) {
  const Model model = SyntheticModel(KnownGeometry("whisper-tiny"), 1);
  EXPECT_EQ(ChooseShape("", model).positions, 1500);
  EXPECT_EQ(ChooseShape("whisper-tiny", model).layers, 4);
  EXPECT_EQ(ChooseShape("seed-3001", model).positions, 3001);
  try {
    ChooseShape("whisper-base", model);
    FAIL() << "another model's geometry was taken";
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("seed-3001"), std::string::npos) << error.message();
    EXPECT_NE(error.message().find("whisper-tiny"), std::string::npos) << error.message();
  }
}

TEST(ChooseModel, SyntheticIsMarked) {
  const ChosenModel chosen = ChooseModel("", "synthetic-whisper-tiny");
  EXPECT_TRUE(chosen.synthetic);
  EXPECT_EQ(chosen.model.geometry().name, "whisper-tiny");
  EXPECT_THROW(ChooseModel("", "synthetic-whisper-huge"), Error);
  EXPECT_THROW(ChooseModel("/no/such/model.bin"), Error);
  EXPECT_THROW(ChooseModel("model.bin", "synthetic-whisper-tiny"), Error);
}

}  // namespace
}  // namespace xdna::encoder
