"""Native llama.cpp: reads {"prompt", "max_tokens"} a line from stdin, writes what llama.cpp says of its times a line to stdout.

Arguments: the .gguf file and the number of threads.
"""

import json
import sys

import xllamacpp

CONTEXT = 1024


def main():
    parameters = xllamacpp.CommonParams()
    parameters.model.path = sys.argv[1]
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = int(sys.argv[2])
    parameters.n_ctx, parameters.n_parallel = CONTEXT, 1
    server = xllamacpp.Server(parameters)
    for line in sys.stdin:
        asked = json.loads(line)
        answer = server.handle_completions(asked | {"temperature": 0, "cache_prompt": False, "ignore_eos": True})
        print(json.dumps({"text": answer["choices"][0]["text"], **answer["timings"]}), flush=True)


if __name__ == "__main__":
    main()
