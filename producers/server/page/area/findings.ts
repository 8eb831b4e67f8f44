import { html, nothing, type TemplateResult } from "lit-html";
import { shellWord } from "../../../../shared/shell-word.ts";
import type { Check } from "../../../contract/area.ts";
import { shown } from "../data/format.ts";
import { areaDetails, diagnoses } from "../data/poller.ts";
import { may } from "../data/state.ts";
import { warningsOf } from "../widgets/area-row.ts";
import { copyable } from "../widgets/copyable.ts";

/** What a user does about a check, beside its remedy in words. */
interface Remedy {
  /** For a shell. */
  command: string;
  /** Any job does it, too. */
  byJob: boolean;
}

const subjectOf = ({ name }: Check) => name.split("/")[0] ?? name;

/** Subjects whose faults `mtjobs doctor --repair` and any job repair. */
const repairable = new Set(["guards", "half-moved", "ids", "in-both", "lease", "orphans"]);

/** Returns undefined if there is nothing to type; a check that an error prevented has a code. */
function remedyOf(check: Check, area: string): Remedy | undefined {
  const { ok, name, remedy, details } = check;
  if (remedy === undefined || details?.code !== undefined) return undefined;
  const subject = subjectOf(check);
  const path = shellWord(area);
  if (repairable.has(subject) && (ok === false || subject === "guards"))
    return { command: `mtjobs doctor --repair ${path}`, byJob: true };
  const only = (command: string): Remedy => ({ command, byJob: false });
  if (subject === "paused" && typeof details?.file === "string") return only(`rm ${shellWord(details.file)}`);
  if (subject === "migration" || (subject === "closed-cache" && ok === false)) return only("mtjobs worker");
  if (subject === "caches") return only(`mtjobs doctor ${path}`);
  // The path of a cache is not known here.
  const [, file] = /^integrity\/((?:megatest|completed-runs)\.db)$/.exec(name) ?? [];
  if (file !== undefined && ok === null)
    return only(`sqlite3 -readonly ${shellWord(`${area}/${file}`)} 'PRAGMA integrity_check'`);
  return undefined;
}

function finding(check: Check, area: string): TemplateResult {
  const remedy = remedyOf(check, area);
  return html`<li>
    <span class=${check.ok === false ? "bad path" : "path"}>
      <strong>${shown(check.name)}</strong> ${shown(check.verdict)}
    </span>
    ${check.remedy === undefined ? nothing : html`<br /><span class="quiet path">${shown(check.remedy)}</span>`}
    ${remedy?.byJob === true && may("operate") ? html`<br /><a href="#start-job">Start a job</a>` : nothing}
    ${remedy === undefined ? nothing : copyable(remedy.command, `Copy the command for ${shown(check.name)}`)}
  </li>`;
}

function group(title: string, checks: readonly Check[], area: string): TemplateResult | typeof nothing {
  if (checks.length === 0) return nothing;
  return html`<h3>${title} (${checks.length})</h3>
    <ul class="findings">
      ${checks.map((check) => finding(check, area))}
    </ul>`;
}

/** Checks that passed are few words each. */
function passed(checks: readonly Check[]): TemplateResult | typeof nothing {
  if (checks.length === 0) return nothing;
  return html`<details>
    <summary class="good">${checks.length} ${checks.length === 1 ? "check" : "checks"} passed</summary>
    <ul>
      ${checks.map(({ name, verdict }) => html`<li class="path"><strong>${shown(name)}</strong> ${shown(verdict)}</li>`)}
    </ul>
  </details>`;
}

/** What is wrong with an area: what its status says, and the doctor's checks in groups, each with its remedy. */
export function findings(path: string): TemplateResult {
  const { value: diagnosis, trouble } = diagnoses.get(path) ?? {};
  const status = warningsOf(areaDetails.get(path)?.value, undefined);
  const checks = diagnosis?.checks ?? [];
  const isUnseen = ({ ok, details }: Check) => ok === null && details?.code !== undefined;
  const faults = checks.filter(({ ok }) => ok === false);
  const notes = checks.filter((check) => check.ok === null && !isUnseen(check));
  return html`<h2>Warnings</h2>
    ${
      status.length === 0
        ? nothing
        : html`<ul>
            ${status.map((sentence) => html`<li class="bad path">${sentence}</li>`)}
          </ul>`
    }
    ${trouble === undefined ? nothing : html`<p class="bad path" role="alert">${shown(trouble)}</p>`}
    ${diagnosis === undefined && trouble === undefined ? html`<p aria-busy="true">Checking…</p>` : nothing}
    ${diagnosis !== undefined && faults.length + status.length === 0 ? html`<p class="good">No problems.</p>` : nothing}
    ${group("Faults", faults, path)} ${group("Could not be checked", checks.filter(isUnseen), path)}
    ${group("Notes", notes, path)} ${passed(checks.filter(({ ok }) => ok === true))}`;
}
