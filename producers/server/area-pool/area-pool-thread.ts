// The thread in which the server reads areas. Started by area-pool.ts, never imported.

import { openAllowedArea } from "../../../shared/area/area.ts";
import { toJobsError } from "../../../shared/errors.ts";
import type { Settings } from "../../../shared/settings/settings.ts";
import { findAreas } from "../../areas/find-areas.ts";
import { gainByAge } from "../../areas/forecast.ts";
import { measureAreas } from "../../areas/measure-areas.ts";
import { OldestRuns } from "../../areas/oldest-run.ts";
import { areaStatus } from "../../areas/status.ts";
import { AreaGains } from "../../browse/area-gains.ts";
import { areaHistory } from "../../browse/area-history.ts";
import { AreaTotals } from "../../browse/area-totals.ts";
import { browseRun } from "../../browse/browse-run.ts";
import { browseRuns } from "../../browse/browse-runs.ts";
import { browseTest, browseTests } from "../../browse/browse-tests.ts";
import { listMeasures } from "../../browse/list-measures.ts";
import { listPolicies } from "../../browse/list-policies.ts";
import { searchRuns } from "../../browse/search-runs.ts";
import type { AreaHistory, AreaStatus, Diagnosis, FoundAreas, GainByAge } from "../../contract/area.ts";
import type { Enqueued } from "../../contract/job.ts";
import type { RunDetail, RunsPage, TestDetail, TestsPage } from "../../contract/runs.ts";
import type { DrainResult, Policies, Schedule } from "../../contract/schedule.ts";
import type { AreaMeasures, Search } from "../../contract/totals.ts";
import { diagnose } from "../../doctor/diagnose.ts";
import { drainHost } from "../../fleet/drain.ts";
import { locateFiles } from "../../full-db/locate.ts";
import { requestJob } from "../../jobs/request-job.ts";
import { LastingSession } from "../../jobs/session.ts";
import { requestSchedule } from "../../schedules/request-schedule.ts";
import type {
  AreaPoolAnswer,
  DrainTask,
  EnqueueTask,
  GainTask,
  LocatedArea,
  MeasuredArea,
  RunsTask,
  RunTask,
  ScheduleTask,
  SearchTask,
  StatusTask,
  TestsTask,
  TestTask,
} from "./area-pool.ts";

let lasting: LastingSession | undefined;
/** Used by one thread alone, so that no area is read twice. */
const oldestRuns = new OldestRuns();
const totals = new AreaTotals();
const gains = new AreaGains();

/** Returns this thread's only connection for enqueuing. */
function session(settings: Settings): LastingSession {
  lasting ??= new LastingSession(settings);
  return lasting;
}

/** Paths must be absolute: clients do not know the server's working directory. */
const placeOf = (settings: Settings) => ({ settings, env: process.env, cwd: "/" });

async function answer<T>(work: () => T | Promise<T>): Promise<AreaPoolAnswer<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    return { error: toJobsError(error).toDocument() };
  }
}

export function enqueue({ settings, requestedBy, request }: EnqueueTask): Promise<AreaPoolAnswer<Enqueued>> {
  return answer(() => requestJob(session(settings), request, { ...placeOf(settings), requestedBy }));
}

export function schedule({
  settings,
  requestedBy,
  request,
}: ScheduleTask): Promise<AreaPoolAnswer<Schedule>> {
  return answer(() => requestSchedule(session(settings), request, { ...placeOf(settings), requestedBy }));
}

/** Requests the migrations of a drain, without following them. */
export function drain({
  settings,
  requestedBy,
  host,
  options,
}: DrainTask): Promise<AreaPoolAnswer<DrainResult>> {
  const { cwd, env } = placeOf(settings);
  const deps = { cwd, env, requestedBy, follow: false };
  return answer(() => session(settings).ask((open) => drainHost(open, host, options, deps)));
}

export function status({ settings, area }: StatusTask): Promise<AreaPoolAnswer<AreaStatus>> {
  return answer(() => areaStatus(area, placeOf(settings)));
}

export function find({ settings }: { settings: Settings }): Promise<AreaPoolAnswer<FoundAreas>> {
  return answer(() => findAreas(settings, process.env));
}

export function measure({ settings }: { settings: Settings }): Promise<AreaPoolAnswer<MeasuredArea[]>> {
  return answer(() => measureTotals(settings));
}

function measureTotals(settings: Settings): MeasuredArea[] {
  const measures = measureAreas(settings, process.env, oldestRuns);
  const found = totals.read(measures, settings, process.env);
  return measures.map((area) => ({
    ...area,
    ...(found.get(area.area) ?? { runs: null, savedBytes: null }),
  }));
}

/** What all areas are sorted by. */
export function list({ settings }: { settings: Settings }): Promise<AreaPoolAnswer<AreaMeasures>> {
  return answer(() => {
    const measures = measureTotals(settings);
    const place = { settings, env: process.env };
    return listMeasures(
      measures,
      gains.read(
        measures.map(({ area }) => area),
        place,
      ),
    );
  });
}

export function policies({ settings }: { settings: Settings }): Promise<AreaPoolAnswer<Policies>> {
  return answer(() => listPolicies({ settings, env: process.env }));
}

export function history({ settings, area }: StatusTask): Promise<AreaPoolAnswer<AreaHistory>> {
  return answer(() => areaHistory(openAllowedArea(area, settings, process.env)));
}

/** Runs the doctor's checks, without a repair. */
export function diagnosis({ settings, area }: StatusTask): Promise<AreaPoolAnswer<Diagnosis>> {
  return answer(() => diagnose(area, { ...placeOf(settings), worksHere: false }));
}

export function locate({ settings, area }: StatusTask): Promise<AreaPoolAnswer<LocatedArea>> {
  return answer(async () => {
    const located = await locateFiles(area, { settings, env: process.env });
    return { area: located.area.path, files: located.files };
  });
}

const reading = (settings: Settings) => ({ settings, env: process.env });

export function runs({ settings, area, request }: RunsTask): Promise<AreaPoolAnswer<RunsPage>> {
  return answer(() => browseRuns(area, request, reading(settings)));
}

export function run({ settings, area, runId }: RunTask): Promise<AreaPoolAnswer<RunDetail>> {
  return answer(() => browseRun(area, runId, reading(settings)));
}

export function tests({ settings, area, runId, request }: TestsTask): Promise<AreaPoolAnswer<TestsPage>> {
  return answer(() => browseTests(area, runId, request, reading(settings)));
}

export function test(task: TestTask): Promise<AreaPoolAnswer<TestDetail>> {
  return answer(() => browseTest(task.area, task, task.request, reading(task.settings)));
}

export function gain({ settings, area, keep }: GainTask): Promise<AreaPoolAnswer<GainByAge>> {
  return answer(() => gainByAge(area, keep, reading(settings)));
}

export function search({
  settings,
  request,
}: SearchTask): Promise<AreaPoolAnswer<NonNullable<Search["runs"]>>> {
  return answer(() => searchRuns(request, reading(settings)));
}
