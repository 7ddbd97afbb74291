"""The external repositories as a module extension, for Bazel 7 and later."""

load(":repositories.bzl", "third_party_repositories")

def _third_party_impl(_ctx):
    third_party_repositories()

third_party = module_extension(implementation = _third_party_impl)
