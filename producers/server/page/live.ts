import { areaDetails, diagnoses } from "./details.ts";
import type { Farm, Job } from "./documents.ts";
import { changed, state } from "./state.ts";

/** Milliseconds until a server that sends nothing is asked anew. */
const patience = 5000;

const keyOf = ({ host, jobId }: Job) => `${host} ${jobId}`;

function say(text: string, className: string): void {
  const place = document.getElementById("live");
  if (place === null) return;
  place.textContent = text;
  place.className = className;
}

/** Where a job has ended, its area is not as it was. */
function outdateEnded(before: readonly Job[], now: readonly Job[]): void {
  const going = new Set(now.map(keyOf));
  for (const job of before) {
    if (job.area === null || going.has(keyOf(job))) continue;
    areaDetails.outdate(job.area);
    diagnoses.outdate(job.area);
  }
}

/** Takes what the server sends from now on, and comes back where the connection breaks. */
export function listen(): void {
  const events = new EventSource("/api/v1/events");
  events.addEventListener("farm", (event) => {
    const farm = JSON.parse(event.data) as Farm;
    outdateEnded(state.farm?.jobs ?? [], farm.jobs);
    state.farm = farm;
    say("live", "good");
    changed();
  });
  events.addEventListener("trouble", (event) => {
    say((JSON.parse(event.data) as { message: string }).message, "bad");
  });
  events.addEventListener("error", () => {
    say("not connected", "bad");
    // A browser does not try again by itself where it was refused.
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, patience);
  });
}
