import { render } from "lit-html";
import type { FoundAreas } from "../../contract/area.ts";
import { ask } from "./api.ts";
import { AreaDialog } from "./area-dialog.ts";
import { areasView } from "./areas-view.ts";
import { hostsView } from "./hosts-view.ts";
import { listen } from "./live.ts";
import { automaticView } from "./schedules-view.ts";
import { changed, drawWith, state } from "./state.ts";

/** Milliseconds between requests for the list of areas; poller.ts sets the intervals for details. */
const refreshInterval = 15_000;

function place(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (element === null) throw new TypeError(`the page has no #${id}`);
  return element;
}

async function refresh(): Promise<void> {
  try {
    const { areas, warnings } = await ask<FoundAreas>("areas");
    Object.assign(state, { areas, warnings, trouble: undefined });
  } catch (error) {
    state.trouble = (error as Error).message;
  }
  changed();
}

const dialog = new AreaDialog(place("area") as HTMLDialogElement);
drawWith(() => {
  render(hostsView(), place("hosts"));
  render(
    automaticView((path) => dialog.open(path)),
    place("automatic"),
  );
  render(
    areasView((path) => dialog.open(path)),
    place("areas"),
  );
  dialog.draw();
});
listen();
void refresh();
setInterval(() => {
  // A hidden page requests nothing.
  if (!document.hidden) void refresh();
}, refreshInterval);
changed();
