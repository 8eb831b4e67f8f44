import type { FleetEvent } from "../../../contract/fleet.ts";
import type { Job } from "./documents.ts";
import { areaDetails, diagnoses } from "./poller.ts";
import { changed, state } from "./state.ts";

/** Milliseconds until reconnecting to the server. */
const patience = 5000;

const keyOf = ({ host, jobId }: Job) => `${host} ${jobId}`;

/** Changes with every job that is added, changes its state or ends, however short it was. */
function jobsMark(fleet: FleetEvent | undefined): string {
  const states = fleet?.jobs.map((job) => [keyOf(job), job.state]);
  return JSON.stringify([states, fleet?.hosts.map(({ host, counts }) => [host, counts])]);
}

function showStatus(text: string, className: string): void {
  state.live = { text, className };
  changed();
}

/** Marks the areas of ended jobs as outdated. */
function outdateEnded(before: readonly Job[], now: readonly Job[]): void {
  const going = new Set(now.map(keyOf));
  for (const job of before) {
    if (job.area === null || going.has(keyOf(job))) continue;
    areaDetails.outdate(job.area);
    diagnoses.outdate(job.area);
  }
}

/** Listens to the server's events; reconnects after an error. */
export function listen(): void {
  const events = new EventSource("api/v1/events");
  events.addEventListener("farm", (event) => {
    const fleet = JSON.parse(event.data) as FleetEvent;
    outdateEnded(state.fleet?.jobs ?? [], fleet.jobs);
    if (jobsMark(state.fleet) !== jobsMark(fleet)) state.jobsVersion++;
    state.fleet = fleet;
    showStatus("live", "good");
  });
  events.addEventListener("trouble", (event) => {
    showStatus((JSON.parse(event.data) as { message: string }).message, "bad");
  });
  events.addEventListener("error", () => {
    showStatus("not connected", "bad");
    // A browser does not reconnect after a refusal.
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, patience);
  });
}
