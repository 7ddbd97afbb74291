#!/usr/bin/python3 -B
"""The JSON Schema of run records says what the C++ type says: schema_test.py SAMPLES SCHEMA."""

import json
import subprocess
import sys
import unittest

import jsonschema

SAMPLES, SCHEMA = sys.argv[1:3]


class SchemaTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        with open(SCHEMA, encoding="utf-8") as file:
            schema = json.load(file)
        jsonschema.Draft202012Validator.check_schema(schema)
        cls.validator = jsonschema.Draft202012Validator(schema)
        output = subprocess.run([SAMPLES], check=True, capture_output=True, text=True).stdout
        cls.samples = [json.loads(line) for line in output.splitlines()]

    def test_agrees_with_the_cpp_type(self):
        counts = {True: 0, False: 0}
        for sample in self.samples:
            counts[sample["accepted"]] += 1
            valid = self.validator.is_valid(sample["line"])
            self.assertEqual(valid, sample["accepted"], json.dumps(sample["line"]))
        # Eight whole lines and what of their changes is harmless; hundreds that are not.
        self.assertGreater(counts[True], 30)
        self.assertGreater(counts[False], 1000)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
