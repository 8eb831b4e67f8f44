import { html, type TemplateResult } from "lit-html";
import { shown } from "../data/format.ts";

type Kind = "good" | "warn" | "bad" | "active" | "quiet";

/** Shown beside the words, so that a colour is not needed to tell them apart at a glance. */
const signs: Record<Kind, string> = { good: "✓", warn: "!", bad: "✗", active: "▸", quiet: "·" };

const kinds: readonly (readonly [Kind, RegExp])[] = [
  [
    "bad",
    /^(?:FAIL|ABORT|DEAD|STUCK|STUCK\/DEAD|KILLED|KILLREQ|INCOMPLETE|BLOCKED|PREQ_\w+|T\w+_OUT|TEN_STRIKES)$/i,
  ],
  ["good", /^PASS$/i],
  ["warn", /^(?:WARN|CHECK|WAIVED|SKIP|ZERO_ITEMS|UNKNOWN|locked)$/i],
  ["active", /^(?:RUNNING|LAUNCHED|REMOTEHOSTSTART)$/i],
];

/** The status says how it ended, if it has ended: a failed test may be COMPLETED. */
function kindOf(state: string | null, status: string | null): Kind {
  for (const [kind, pattern] of kinds)
    if ([status, state].some((word) => word !== null && pattern.test(word))) return kind;
  return "quiet";
}

function stateText(kind: Kind, words: string): TemplateResult {
  return html`<span class="path ${kind}"><span aria-hidden="true">${signs[kind]}</span> ${shown(words || "–")}</span>`;
}

/** `✗ COMPLETED FAIL`, of a run, a test or data. */
export function runState(state: string | null, status: string | null): TemplateResult {
  const words = [state, status].filter((word) => word !== null && word !== "").join(" ");
  return stateText(kindOf(state, status), words);
}

/** The status of a step that has ended is the exit code of its program. */
export function stepState(state: string | null, status: string | null): TemplateResult {
  if (state === "start") return stateText("quiet", "start");
  if (status === null || !/^-?\d+$/.test(status)) return runState(state, status);
  return stateText(status === "0" ? "good" : "bad", `${state ?? ""} ${status}`);
}
