import type { SingleBar } from "cli-progress";
import type { Progress } from "../../shared/contract/move-result.ts";
import { countText, plural } from "../../shared/text.ts";
import type { CliIo } from "./io.ts";

/** Shows a job's progress on stderr: a bar on a terminal, otherwise only notes. */
export interface ProgressDisplay {
  progress: (progress: Progress) => void;
  note: (sentence: string) => void;
  /** Removes the bar; may be called twice. */
  end: () => void;
}

/** Returns a display on the command's stderr; `silent` (with `--json`) shows neither bar nor notes. */
export async function progressDisplay(io: CliIo, silent: boolean): Promise<ProgressDisplay> {
  const write = (sentence: string) => io.stderr.write(`${sentence}\n`);
  if (silent) return { progress: () => {}, note: () => {}, end: () => {} };
  if (!io.stderr.isTTY) return { progress: () => {}, note: write, end: () => {} };
  // Bundled, a CommonJS package has a default export only.
  const { default: cliProgress } = await import("cli-progress");
  return barOn(cliProgress, io.stderr, write);
}

function barOn(
  { Presets, SingleBar }: typeof import("cli-progress"),
  stream: NodeJS.WriteStream,
  write: (sentence: string) => void,
): ProgressDisplay {
  const options = {
    stream,
    format: "{phase} {bar} {percentage}%  {runs}  {rows}",
    clearOnComplete: true,
    hideCursor: true,
    barsize: 30,
    // The command's own signal handling restores the cursor.
    gracefulExit: false,
  };
  let bar: SingleBar | undefined;
  const end = () => {
    bar?.stop();
    bar = undefined;
  };
  return {
    progress({ phase, runs, rows }) {
      const words = {
        phase,
        runs: `${countText(runs.done)}/${plural(runs.total, "run")}`,
        rows: plural(rows.done, "row"),
      };
      // Rows are more precise than runs, if their total is known.
      const [done, total] = rows.total === undefined ? [runs.done, runs.total] : [rows.done, rows.total];
      if (bar === undefined) {
        bar = new SingleBar(options, Presets.shades_classic);
        bar.start(Math.max(total, 1), done, words);
        return;
      }
      bar.setTotal(Math.max(total, 1));
      bar.update(done, words);
    },
    note(sentence) {
      end();
      write(sentence);
    },
    end,
  };
}
