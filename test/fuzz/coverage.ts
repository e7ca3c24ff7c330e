import { readFileSync } from "node:fs";
import { Session } from "node:inspector";
import { fileURLToPath } from "node:url";

export interface Coverage {
  /** Functions that were called, and all there are. */
  functions: number;
  allFunctions: number;
  /** Share of the source (characters) that was executed. */
  source: number;
}

interface Range {
  startOffset: number;
  endOffset: number;
  count: number;
}

/** V8's block coverage of modules that are loaded after it was started, as far as their URL is of one of the folders. */
export class CoverageMeter {
  #session = new Session();
  #folders: readonly string[];
  /** Executed characters and called functions, by URL: V8 forgets what it has told. */
  #executed = new Map<string, Uint8Array>();
  #called = new Map<string, Map<string, boolean>>();

  constructor(folders: readonly string[]) {
    this.#folders = folders;
    this.#session.connect();
    this.#session.post("Profiler.enable");
    this.#session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  }

  take(): Coverage {
    this.#session.post("Profiler.takePreciseCoverage", (error, taken) => {
      if (error) throw error;
      for (const { url, functions } of taken.result) {
        if (!url.startsWith("file:") || !this.#folders.some((folder) => url.includes(folder))) continue;
        this.#add(url, functions);
      }
    });
    let functions = 0;
    let allFunctions = 0;
    for (const called of this.#called.values()) {
      allFunctions += called.size;
      for (const was of called.values()) if (was) functions++;
    }
    let executed = 0;
    let all = 0;
    for (const characters of this.#executed.values()) {
      all += characters.length;
      for (const was of characters) executed += was;
    }
    return { functions, allFunctions, source: all === 0 ? 0 : executed / all };
  }

  #add(url: string, functions: { functionName: string; ranges: Range[] }[]): void {
    let characters = this.#executed.get(url);
    if (!characters) {
      characters = new Uint8Array(readFileSync(fileURLToPath(url), "utf8").length);
      this.#executed.set(url, characters);
      this.#called.set(url, new Map());
    }
    const called = this.#called.get(url)!;
    // Inner ranges follow outer ones and have the last word.
    const now = new Uint8Array(characters.length);
    for (const { functionName, ranges } of functions) {
      const [whole] = ranges;
      const name = `${functionName}@${whole!.startOffset}`;
      called.set(name, called.get(name) === true || whole!.count > 0);
      for (const { startOffset, endOffset, count } of ranges)
        now.fill(count > 0 ? 1 : 0, startOffset, endOffset);
    }
    for (let i = 0; i < now.length; i++) characters[i]! |= now[i]!;
  }
}
