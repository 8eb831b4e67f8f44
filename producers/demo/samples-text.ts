import { shellWord } from "../../shared/shell-word.ts";
import { agoText, bytesText } from "../../shared/text.ts";
import { textTable } from "../format/table.ts";
import { nextSteps } from "./demo-text.ts";
import type { SampleReport } from "./make-samples.ts";

export interface SampleCalls {
  /** `mtjobs` or `npx mtjobs`. */
  command: string;
  /** Settings that were given as flags, for the commands that follow. */
  environment: Readonly<Record<string, string>>;
  /** The roots are set already. */
  hasRoots: boolean;
}

export function samplesText({ directory, host, areas }: SampleReport, calls: SampleCalls): string {
  const rows = areas.map(({ area, runs, oldest, newest, bytes, policies }) => [
    area,
    runs,
    agoText(oldest),
    agoText(newest),
    bytesText(bytes),
    policies.length === 0 ? "-" : policies.join(", "),
  ]);
  const table = textTable(rows, {
    head: ["AREA", "RUNS", "OLDEST", "NEWEST", "MEGATEST.DB", "POLICY"],
    right: [1, 4],
  });
  return [
    `made ${areas.length} sample areas, at home on ${host}`,
    table,
    steps(directory, areas, calls),
  ].join("\n\n");
}

function steps(directory: string, areas: SampleReport["areas"], calls: SampleCalls): string {
  const { command, environment, hasRoots } = calls;
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${shellWord(value)}`);
  const exported: [string][] = variables.length === 0 ? [] : [[`export ${variables.join(" ")}`]];
  const area = shellWord(`${directory}/release`);
  const roots = hasRoots ? "" : `MTJOBS_AREAS=${shellWord(directory)} `;
  const caches = areas.map(({ cache }) => shellWord(cache)).join(" ");
  return nextSteps("What to try next:", [
    ...exported,
    [`${command} status ${area}`, "its runs, sizes and home"],
    [`${command} reduce ${area} --age 90d --dry-run --inline`, "what would move; changes no byte"],
    [`${command} reduce ${area} --age 90d --inline`, "move it, without Redis"],
    [`${command} list-runs ${area} --full-db`, "all runs, and where each is now"],
    [`${roots}${command} worker`, "with Redis: also follows the policy of nightly"],
    [`rm -r ${shellWord(directory)} ${caches}`],
  ]);
}
