import { formatBytes, formatDuration } from "./format.ts";

const WIDTH = 28;
/** Redrawn at most this often, milliseconds. */
const INTERVAL = 100;

/** A progress bar on a terminal; silent where the stream is no terminal. `update` takes bytes done and bytes in all. */
export function progressBar(label: string, stream: NodeJS.WriteStream = process.stderr) {
  const began = performance.now();
  let drawn = 0;
  let length = 0;
  const draw = (text: string) => {
    stream.write(`\r${text.padEnd(length)}`);
    length = text.length;
  };
  return {
    update(bytes: number, total: number | undefined) {
      const now = performance.now();
      if (!stream.isTTY || (now - drawn < INTERVAL && bytes !== total)) return;
      drawn = now;
      const seconds = (now - began) / 1000;
      const rate = seconds > 0 ? bytes / seconds : 0;
      const speed = `${formatBytes(rate)}/s`;
      if (!total) return draw(`${label}  ${formatBytes(bytes)}  ${speed}`);
      const share = Math.min(1, bytes / total);
      const bar = "█".repeat(Math.round(share * WIDTH)).padEnd(WIDTH, "░");
      const left = rate > 0 ? `${formatDuration((total - bytes) / rate)} left` : "";
      draw(`${label}  ${bar} ${formatBytes(bytes)} of ${formatBytes(total)}  ${speed}  ${left}`);
    },
    /** Clears the line. */
    end() {
      if (stream.isTTY) stream.write(`\r${" ".repeat(length)}\r`);
    },
  };
}
