"""The list of external repositories; it serves WORKSPACE and MODULE.bazel alike."""

load(":plotly.bzl", "plotly_repository")
load(":speech.bzl", "speech_repository")
load(":system_library.bzl", "system_library")
load(":whisper_base.bzl", "whisper_base_repository")
load(":xrt.bzl", "xrt_repository")

# Keyed by repository name.  A target @name//:name is what most libraries need.
_SYSTEM_LIBRARIES = {
    "cli11": dict(
        package = "libcli11-dev",
        headers = ["CLI"],
        targets = {"cli11": []},
    ),
    "eigen": dict(
        package = "libeigen3-dev",
        include_root = "/usr/include/eigen3",
        headers = ["Eigen", "unsupported"],
        defines = ["EIGEN_MPL2_ONLY"],
        targets = {"eigen": []},
    ),
    "fftw": dict(
        package = "libfftw3-dev",
        headers = ["fftw3.h"],
        targets = {"fftw": ["fftw3"]},
    ),
    "fmt": dict(
        package = "libfmt-dev",
        headers = ["fmt"],
        targets = {"fmt": ["fmt"]},
    ),
    "google_benchmark": dict(
        package = "libbenchmark-dev",
        headers = ["benchmark"],
        linkopts = ["-pthread"],
        targets = {
            "benchmark": ["benchmark"],
            "benchmark_main": ["benchmark_main"],
        },
    ),
    "googletest": dict(
        package = "libgtest-dev libgmock-dev",
        headers = ["gmock", "gtest"],
        linkopts = ["-pthread"],
        targets = {
            "gtest": ["gmock", "gtest"],
            "gtest_main": ["gtest_main"],
        },
    ),
    "hdf5": dict(
        package = "libhdf5-dev",
        include_root = "/usr/include/hdf5/serial",
        targets = {"hdf5": ["hdf5_serial"]},
    ),
    "highway": dict(
        package = "libhwy-dev",
        headers = ["hwy"],
        targets = {"highway": ["hwy"]},
    ),
    "icu": dict(
        package = "libicu-dev",
        headers = ["unicode"],
        targets = {"icu": ["icuuc"]},
    ),
    "nlohmann_json": dict(
        package = "nlohmann-json3-dev",
        headers = ["nlohmann"],
        targets = {"nlohmann_json": []},
    ),
    "onednn": dict(
        package = "libdnnl-dev",
        headers = ["dnnl.h", "dnnl.hpp", "oneapi"],
        targets = {"onednn": ["dnnl"]},
    ),
    "openssl": dict(
        package = "libssl-dev",
        headers = ["openssl"],
        targets = {"crypto": ["crypto"]},
    ),
    "sndfile": dict(
        package = "libsndfile1-dev",
        headers = ["sndfile.h", "sndfile.hh"],
        targets = {"sndfile": ["sndfile"]},
    ),
    "soxr": dict(
        package = "libsoxr-dev",
        headers = ["soxr.h"],
        targets = {"soxr": ["soxr"]},
    ),
    "uuid": dict(
        package = "uuid-dev",
        headers = ["uuid"],
        targets = {"uuid": ["uuid"]},
    ),
    "zlib": dict(
        package = "zlib1g-dev",
        headers = ["zconf.h", "zlib.h"],
        targets = {"zlib": ["z"]},
    ),
}

def third_party_repositories():
    """Declares every external repository but Bazel's own rule sets."""
    for name, library in _SYSTEM_LIBRARIES.items():
        system_library(name = name, **library)
    plotly_repository(name = "plotly")
    speech_repository(name = "speech")
    whisper_base_repository(name = "whisper_base")
    xrt_repository(name = "xrt")
