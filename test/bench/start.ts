import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { builtFile } from "../../shared/process.ts";
import { benchArea } from "./areas.ts";
import { median, say, tell } from "./report.ts";

const command = fileURLToPath(builtFile("entry/mtjobs.js"));

/** Starts of each program in a round. */
const starts = 15;

/** Commands on a small area, each in a process of its own, beside a Node that does nothing. Includes what they do. */
export async function compareStart(directory: string, rounds: number): Promise<void> {
  const area = benchArea(directory, 10);
  const env = {
    ...process.env,
    MTJOBS_HOST: area.host,
    MTJOBS_USER: area.user,
    MTJOBS_CACHE_ROOT: area.cacheRoot,
    MTJOBS_AREAS: join(directory, "areas"),
  };
  const timed = (args: readonly string[]) => {
    const started = performance.now();
    const { status, stderr } = spawnSync(process.execPath, args, { env, encoding: "utf8" });
    if (status !== 0) throw new Error(`${args.join(" ")} ended with ${status}: ${stderr}`);
    return performance.now() - started;
  };
  const { directory: path } = area;
  const programs = {
    start: ["--version"],
    "start-list": ["list-runs", path],
    "start-query": ["query", path, "--full-db", "select 1"],
    "start-status": ["status", path],
    "start-dry": ["reduce", path, "--run-id", "1", "--dry-run", "--inline"],
  } as const;
  const ratios = Object.fromEntries(Object.keys(programs).map((name) => [name, [] as number[]]));
  for (let round = 1; round <= rounds; round++) {
    const names = Object.keys(programs) as (keyof typeof programs)[];
    const took = new Map<string, number[]>([
      ["node", []],
      ...names.map((name) => [name, []] as [string, number[]]),
    ]);
    for (let start = 0; start < starts; start++) {
      took.get("node")?.push(timed(["-e", "0"]));
      for (const name of names) took.get(name)?.push(timed([command, ...programs[name]]));
    }
    const bare = median(took.get("node") ?? []);
    for (const name of names) ratios[name]?.push(median(took.get(name) ?? []) / bare);
    say(
      `round ${round}: node -e 0 ${bare.toFixed(0)} ms, ${names
        .map((name) => `mtjobs ${programs[name][0]} ${median(took.get(name) ?? []).toFixed(0)} ms`)
        .join(", ")}`,
    );
  }
  for (const name of Object.keys(programs) as (keyof typeof programs)[]) tell(name, ratios[name] ?? []);
}
