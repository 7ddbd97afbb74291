"""Transcribes clips with faster-whisper: one run of transcribe_peers.py, in its environment.

Standard input is a job (JSON: model, clips, threads, beam_size, language).  Standard output has one
line of JSON for each clip: text, tokens, audio_seconds and times, in seconds by stage.
"""

import json
import sys
import time

BEGIN = time.perf_counter()  # Before the imports, which are part of the start.

# pylint: disable=wrong-import-position,import-error
import faster_whisper.transcribe as peer


class Stopwatch:
    """Adds up the seconds that calls of a function take."""

    def __init__(self, owner, name):
        self.seconds = 0.0
        function = getattr(owner, name)

        def timed(*args, **kwargs):
            begin = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - begin

        setattr(owner, name, timed)

    def take(self):
        seconds, self.seconds = self.seconds, 0.0
        return seconds


def main():
    job = json.load(sys.stdin)
    model = peer.WhisperModel(job["model"], device="cpu", compute_type="int8",
                              cpu_threads=job["threads"], num_workers=1, local_files_only=True)
    start = time.perf_counter() - BEGIN
    watches = {
        "audio": Stopwatch(peer, "decode_audio"),
        "mel": Stopwatch(type(model.feature_extractor), "__call__"),
        "encode": Stopwatch(model, "encode"),
        "decode": Stopwatch(model, "generate_with_fallback"),
    }
    for clip in job["clips"]:
        begin = time.perf_counter()
        segments, info = model.transcribe(clip, language=job["language"],
                                          beam_size=job["beam_size"])
        segments = list(segments)
        total = time.perf_counter() - begin
        print(json.dumps({
            "text": "".join(segment.text for segment in segments),
            "tokens": sum(len(segment.tokens) for segment in segments),
            "audio_seconds": info.duration,
            "times": {
                "start": start,
                **{name: watch.take() for name, watch in watches.items()},
                "total": total,
            },
        }))


if __name__ == "__main__":
    main()
