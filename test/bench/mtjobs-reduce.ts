import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import type { MoveResult } from "../../shared/contract/move-result.ts";
import { builtFile } from "../../shared/process.ts";

export interface Measured {
  ms: number;
  /** Peak resident memory, bytes; undefined without /proc. */
  peakBytes: number | undefined;
  result: MoveResult;
}

const command = fileURLToPath(builtFile("entry/mtjobs.js"));

/** Runs `mtjobs reduce --inline` with these selectors as a process of its own. */
export async function runReduce(
  area: SampleArea,
  selectors: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Measured> {
  const started = performance.now();
  const child = spawn(
    process.execPath,
    [command, "reduce", area.directory, ...selectors, "--compact", "never", "--inline", "--json"],
    {
      stdio: ["ignore", "pipe", "inherit"],
      env: {
        ...process.env,
        MTJOBS_HOST: area.host,
        MTJOBS_USER: area.user,
        MTJOBS_CACHE_ROOT: area.cacheRoot,
        MTJOBS_LOG_LEVEL: "error",
        ...env,
      },
    },
  );
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  let peakBytes: number | undefined;
  const watch = setInterval(() => {
    peakBytes = peakOf(child.pid) ?? peakBytes;
  }, 100);
  const [code] = (await once(child, "close")) as [number | null];
  clearInterval(watch);
  if (code !== 0) throw new Error(`mtjobs ended with ${code}: ${output}`);
  return { ms: performance.now() - started, peakBytes, result: JSON.parse(output) as MoveResult };
}

function peakOf(pid: number | undefined): number | undefined {
  const path = `/proc/${pid}/status`;
  if (!existsSync(path)) return undefined;
  const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(path, "utf8"));
  return match === null ? undefined : Number(match[1]) * 1024;
}
