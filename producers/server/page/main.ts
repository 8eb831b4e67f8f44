import { render } from "lit-html";
import { keyed } from "lit-html/directives/keyed.js";
import type { FoundAreas } from "../../contract/area.ts";
import type { WhoAmI } from "../../contract/fleet.ts";
import { ask } from "./data/api.ts";
import { listen } from "./data/live.ts";
import { type PageRoute, type PageView, place, query, startRouter } from "./data/router.ts";
import { changed, drawWith, state } from "./data/state.ts";
import { AreaPage } from "./pages/area.ts";
import { HostPage } from "./pages/host.ts";
import { JobPage } from "./pages/job.ts";
import { JobsPage } from "./pages/jobs.ts";
import { areasPage, hostsPage, missingPage } from "./pages/lists.ts";
import { OverviewPage } from "./pages/overview.ts";
import { RequestPage } from "./pages/request.ts";
import { SchedulesPage } from "./pages/schedules.ts";
import { SearchPage } from "./pages/search.ts";
import { areaById, areaByPath } from "./runs/area-of-address.ts";
import { RunPage } from "./runs/run.ts";
import { RunsPage } from "./runs/runs.ts";
import { SqlPage } from "./runs/sql.ts";
import { header } from "./widgets/header.ts";

/** Milliseconds between requests for the list of areas; poller.ts and resource.ts set the intervals for the rest. */
const refreshInterval = 15_000;

const given = (name: string) => query().get(name) ?? "";

/** The server answers with this page at these addresses: see routes/page.ts. */
const routes: readonly PageRoute[] = [
  { pattern: "/", open: () => new OverviewPage() },
  { pattern: "/areas", open: areasPage },
  { pattern: "/areas/by-path", keys: ["path"], open: () => AreaPage.byPath(query().get("path") ?? "") },
  { pattern: "/areas/by-path/runs", keys: ["path"], open: () => new RunsPage(areaByPath(given("path"))) },
  {
    pattern: "/areas/by-path/runs/:run",
    keys: ["path"],
    open: ({ run = "" }) => new RunPage(areaByPath(given("path")), run),
  },
  { pattern: "/areas/by-path/sql", keys: ["path"], open: () => new SqlPage(areaByPath(given("path"))) },
  { pattern: "/areas/:id", open: ({ id = "" }) => AreaPage.byId(id) },
  { pattern: "/areas/:id/runs", open: ({ id = "" }) => new RunsPage(areaById(id)) },
  { pattern: "/areas/:id/runs/:run", open: ({ id = "", run = "" }) => new RunPage(areaById(id), run) },
  { pattern: "/areas/:id/sql", open: ({ id = "" }) => new SqlPage(areaById(id)) },
  { pattern: "/jobs", open: () => new JobsPage() },
  {
    pattern: "/jobs/:id",
    keys: ["host"],
    open: ({ id = "" }) => new JobPage(id, query().get("host") ?? undefined),
  },
  { pattern: "/hosts", open: hostsPage },
  { pattern: "/hosts/:host", open: ({ host = "" }) => new HostPage(host) },
  { pattern: "/schedules", open: () => new SchedulesPage() },
  { pattern: "/request", open: () => new RequestPage() },
  { pattern: "/search", keys: ["q"], open: () => new SearchPage() },
];

function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new TypeError(`the page has no #${id}`);
  return found;
}

let shown: { key: string; view: PageView } | undefined;

/** Opens the page of the address, unless it is the one that is shown. */
function arrive(byLink: boolean): void {
  const { route, params, key } = place();
  if (shown?.key === key) {
    changed();
    return;
  }
  shown?.view.close?.();
  shown = { key, view: route?.open(params) ?? missingPage() };
  draw();
  if (!byLink) return;
  scrollTo(0, 0);
  element("main").focus({ preventScroll: true });
}

function draw(): void {
  if (shown === undefined) return;
  const { key, view } = shown;
  render(header(), element("header"));
  render(keyed(key, view.view()), element("main"));
  document.title = `${view.title()} – mtjobs`;
  view.drawn?.();
}

async function refresh(): Promise<void> {
  try {
    state.me ??= await ask<WhoAmI>("whoami");
    const { areas, warnings } = await ask<FoundAreas>("areas");
    Object.assign(state, { areas, warnings, trouble: undefined });
  } catch (error) {
    state.trouble = (error as Error).message;
  }
  changed();
}

drawWith(draw);
startRouter(routes, arrive);
arrive(false);
listen();
void refresh();
setInterval(() => {
  // A hidden page requests nothing.
  if (!document.hidden) void refresh();
}, refreshInterval);
