import { html, nothing, type TemplateResult } from "lit-html";
import { shown } from "../data/format.ts";
import { go, place, query } from "../data/router.ts";
import { state } from "../data/state.ts";

const pages = [
  ["./", "Overview"],
  ["areas", "Areas"],
  ["jobs", "Jobs"],
  ["hosts", "Hosts"],
  ["schedules", "Schedules"],
  ["request", "Request"],
] as const;

/** The first segment of a page's address. */
const sectionOf = (pattern: string) => pattern.split("/").find((part) => part !== "") ?? "./";

function search(event: SubmitEvent): void {
  event.preventDefault();
  const text = new FormData(event.target as HTMLFormElement).get("q");
  go(`search?${new URLSearchParams({ q: String(text ?? "") })}`);
}

function user(): TemplateResult | typeof nothing {
  if (state.me === undefined) return nothing;
  const { user, role } = state.me;
  const rights = { read: "may read", operate: "may start and cancel jobs", admin: "may do everything" }[role];
  return html`<li id="user" title="${shown(user)} ${rights}">${shown(user)} <span class="quiet">${role}</span></li>`;
}

/** What stands above all pages: where to go, the search, and who the user is. */
export function header(): TemplateResult {
  const here = sectionOf(place().route?.pattern ?? "none");
  return html`<nav aria-label="Pages">
      <ul>
        ${pages.map(
          ([address, text]) =>
            html`<li><a href=${address} aria-current=${sectionOf(address) === here ? "page" : nothing}>${text}</a></li>`,
        )}
      </ul>
    </nav>
    <form role="search" @submit=${search}>
      <input type="search" name="q" aria-label="Search areas, jobs, runs and hosts" placeholder="Search" .value=${query().get("q") ?? ""} />
    </form>
    <ul>
      <li><a href="queues">Queues</a></li>
      <li><a href="docs/">API</a></li>
      ${user()}
      <li><span id="live" role="status" class=${state.live.className}>${shown(state.live.text)}</span></li>
    </ul>`;
}
