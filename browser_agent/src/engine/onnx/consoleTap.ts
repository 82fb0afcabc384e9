// onnxruntime logs through the console functions that exist when its module starts. The tap replaces them before that:
// verbose lines go to whoever listens and never to the console, warnings and errors are kept for error details.
const KEPT_LINES = 20;
const VERBOSE = /\[[VI]:onnxruntime:/;

export class ConsoleTap {
  #kept: string[] = [];
  listener: ((line: string) => unknown) | undefined;

  install(): void {
    for (const method of ['log', 'info', 'debug', 'warn', 'error'] as const) {
      const original = console[method].bind(console);
      console[method] = (...parts: unknown[]) => {
        const line = parts.map(String).join(' ');
        if (VERBOSE.test(line)) return void this.listener?.(line);
        this.listener?.(line);
        this.#kept = [...this.#kept.slice(1 - KEPT_LINES), line];
        original(...parts);
      };
    }
  }

  // The warnings and errors since the last call.
  takeKept(): string[] {
    const kept = this.#kept;
    this.#kept = [];
    return kept;
  }
}
