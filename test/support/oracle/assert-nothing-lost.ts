import type { AcknowledgedWrite } from "../megatest/client-messages.ts";
import type { Loser, NaturalRecord, Union } from "./records.ts";
import { identified, rowsOf } from "./rows.ts";
import { integrityProblems, showValue, textValue, type Value } from "./snapshot.ts";

export interface NothingLostOptions {
  /** Runs may be half moved (a killed job): a run in both places is no fault then. Default false. */
  unfinished?: boolean;
  /** Records may have appeared (a client wrote). Default false. */
  newRecords?: boolean;
  /** Selects records whose values may have changed; default none. */
  mayChange?: (record: NaturalRecord) => boolean;
  /** Ids may have changed (Megatest had reused an id). Default false. */
  newIds?: boolean;
  /** Megatest reused ids, or left rows of moved runs in the ref, and no job has repaired that yet. Default false. */
  unrepaired?: boolean;
  /** `last_update` may have changed (a refill ran). Default false. */
  anyLastUpdate?: boolean;
}

/** @throws Error that lists what was lost, duplicated, changed or left behind between two states of an area */
export function assertNothingLost(before: Union, after: Union, options: NothingLostOptions = {}): void {
  const problems = findLosses(before, after, options);
  if (problems.length === 0) return;
  const more = problems.length > 40 ? [`… and ${problems.length - 40} more`] : [];
  throw new Error(
    [`${problems.length} problems in ${after.files.megatestDb}:`, ...problems.slice(0, 40), ...more].join(
      "\n",
    ),
  );
}

/** Returns the problems that `assertNothingLost` reports, one per line; [] if there are none. */
export function findLosses(before: Union, after: Union, options: NothingLostOptions = {}): string[] {
  return [
    ...integrityProblems([
      after.files.megatestDb,
      after.files.cacheDb,
      after.files.refDb,
      after.files.completedDb,
    ]),
    ...[...before.records.values()].flatMap((record) =>
      compareRecord(record, after.records.get(record.path), options),
    ),
    ...(options.newRecords === true ? [] : appeared(before, after)),
    ...looseProblems(before, after, options),
    ...before.losers.flatMap((loser) => supersededProblem(loser, after)),
    ...lostOrphans(before, after),
    ...placeProblems(after, options),
    ...(options.unrepaired === true ? [] : idProblems(after)),
    ...after.orphans.completed.map((line) => `orphan in completed-runs.db: ${line}`),
    ...(options.unrepaired === true ? [] : refProblems(after)),
    ...companyProblems(before, after),
  ];
}

/** Asserts that every write that SQLite acknowledged to a client, and no later one replaced, still exists. */
export function assertWritesKept(writes: readonly AcknowledgedWrite[], after: Union): void {
  const last = new Map<string, AcknowledgedWrite>();
  for (const write of writes) last.set(`${write.table} ${write.parent ?? "self"} ${natureOf(write)}`, write);
  const problems = [...last.values()]
    .filter((write) => !isKept(write, after))
    .map((write) => JSON.stringify(write));
  if (problems.length > 0)
    throw new Error(`${problems.length} acknowledged writes lost:\n${problems.slice(0, 40).join("\n")}`);
}

function natureOf(write: AcknowledgedWrite): string {
  const shape = identified.find(({ table }) => table === write.table);
  if (write.parent === null) return String(write.id);
  return (shape?.natural ?? []).map((name) => write.values[name]).join("|");
}

function isKept(write: AcknowledgedWrite, after: Union): boolean {
  const matches = (row: ReadonlyMap<string, Value>) =>
    Object.entries(write.values).every(([name, value]) => row.get(name) === canonical(value, row.get(name)));
  const key = `${write.table} ${`i:${write.id}`}`;
  const path = after.ids.area.get(key) ?? after.ids.completed.get(key);
  const record = path === undefined ? undefined : after.records.get(path);
  if (record !== undefined && matches(record.row)) return true;
  return after.superseded.some((kept) => kept.table === write.table && matches(kept.row));
}

/** Returns a number as the column's affinity stores it. */
function canonical(value: string | number, found: Value | undefined): Value {
  if (typeof value === "string") return textValue(value);
  return found?.startsWith("r:") && Number(found.slice(2)) === value ? found : `i:${value}`;
}

function compareRecord(
  before: NaturalRecord,
  after: NaturalRecord | undefined,
  options: NothingLostOptions,
): string[] {
  if (after === undefined) return [`lost: ${before.path} (id ${before.id})`];
  const problems: string[] = [];
  if (!before.anyId && options.newIds !== true && before.id !== after.id) {
    problems.push(`${before.path}: id was ${before.id}, is ${after.id}`);
  }
  if (before.anyValue || options.mayChange?.(before) === true) return problems;
  for (const [column, value] of before.row) {
    if (isIdentity(before, column)) continue;
    const now = after.row.get(column);
    if (now === value) continue;
    if (
      column === "last_update" &&
      (options.anyLastUpdate === true || before.lastUpdates.includes(now ?? ""))
    )
      continue;
    problems.push(`${before.path}: ${column} was ${showValue(value)}, is ${showValue(now)}`);
  }
  return problems;
}

/** Ids are compared separately; a parent is part of the path. */
function isIdentity(record: NaturalRecord, column: string): boolean {
  return column === "id" || column === identified.find(({ table }) => table === record.table)?.parent?.column;
}

function appeared(before: Union, after: Union): string[] {
  return [...after.records.keys()]
    .filter((path) => !before.records.has(path))
    .map((path) => `appeared: ${path}`);
}

/** Rows without known parents must stay, or go where their run went. */
function lostOrphans(before: Union, after: Union): string[] {
  const left = new Set(after.orphans.area);
  return before.orphans.area.filter((line) => !left.has(line)).map((line) => `lost orphan: ${line}`);
}

function looseProblems(before: Union, after: Union, options: NothingLostOptions): string[] {
  const keys = new Set([...before.loose.keys(), ...after.loose.keys()]);
  return [...keys].flatMap((key) => {
    const [was, is] = [before.loose.get(key) ?? 0, after.loose.get(key) ?? 0];
    if (was === is || (was < is && options.newRecords === true)) return [];
    return [`${key}: was there ${was} times, is there ${is} times`];
  });
}

function supersededProblem(loser: Loser, after: Union): string[] {
  const kept = after.superseded.some(
    ({ table, row }) =>
      table === loser.table && loser.columns.every((name) => row.get(name) === loser.row.get(name)),
  );
  if (kept || isStillThere(loser, after)) return [];
  return [
    `the version that lost is kept nowhere: ${loser.path} ${loser.columns.map((c) => `${c}=${showValue(loser.row.get(c))}`).join(" ")}`,
  ];
}

/** If the run stayed, no version must be kept: both are unchanged. */
function isStillThere(loser: Loser, after: Union): boolean {
  return after.losers.some(
    (other) =>
      other.path === loser.path && loser.columns.every((name) => other.row.get(name) === loser.row.get(name)),
  );
}

/** A record must be in the area or in completed-runs.db, not in both. */
function placeProblems(after: Union, options: NothingLostOptions): string[] {
  if (options.unfinished === true) return [];
  const both = [...after.records.values()].filter((record) => record.spaces.size > 1);
  const onTheWay = [...after.runStates].filter(([, state]) => state !== "moved");
  return [
    ...both.map((record) => `in the area and in completed-runs.db: ${record.path}`),
    ...onTheWay.map(([id, state]) => `run ${id} is still ${state}`),
    ...lateLeftBehind(after),
  ];
}

/** A late row must have been merged into its moved run. */
function lateLeftBehind(after: Union): string[] {
  return [...after.records.values()].flatMap((record) => {
    const parent = record.path.slice(0, record.path.lastIndexOf(" / "));
    const there = after.records.get(parent);
    const apart = there !== undefined && ![...record.spaces].every((space) => there.spaces.has(space));
    return apart ? [`apart from its parent: ${record.path} is in ${[...record.spaces].join()}`] : [];
  });
}

function idProblems(after: Union): string[] {
  return [...after.ids.completed].flatMap(([id, path]) => {
    const other = after.ids.area.get(id);
    return other === undefined || other === path
      ? []
      : [`${id} stands for two records: ${other} and ${path} (moved)`];
  });
}

/** The ref must not contain a moved run, or a sync could restore it. */
function refProblems(after: Union): string[] {
  const moved = new Set([...after.runStates].filter(([, state]) => state === "moved").map(([id]) => id));
  return identified.flatMap((shape) =>
    rowsOf(after.snapshots.ref, shape.table).flatMap((row) => {
      const run = shape.table === "runs" ? row.get("id") : row.get("run_id");
      const test = shape.parent?.table === "tests" ? `tests ${row.get("test_id") ?? "n"}` : undefined;
      const left = test === undefined ? moved.has(run ?? "n") : isMovedTest(after, test);
      return left ? [`left in the ref: ${shape.table} ${row.get("id")}`] : [];
    }),
  );
}

function isMovedTest(after: Union, test: string): boolean {
  return after.ids.completed.has(test) && !after.ids.area.has(test);
}

/** Target keys and each moved test's description must be moved, too. */
function companyProblems(before: Union, after: Union): string[] {
  if (after.ids.completed.size === 0) return [];
  const names = (table: string, column: string, from: "area" | "cache" | "completed", at: Union) =>
    new Set(rowsOf(at.snapshots[from], table).map((row) => row.get(column) ?? "n"));
  const keys = names("keys", "fieldname", "completed", after);
  const lackingKeys = [...names("keys", "fieldname", "area", before)].filter((key) => !keys.has(key));
  const described = new Set([
    ...names("test_meta", "testname", "area", before),
    ...names("test_meta", "testname", "cache", before),
  ]);
  const meta = names("test_meta", "testname", "completed", after);
  const lackingMeta = [...names("tests", "testname", "completed", after)].filter(
    (name) => described.has(name) && !meta.has(name),
  );
  return [
    ...lackingKeys.map((key) => `completed-runs.db lacks the key ${showValue(key)}`),
    ...lackingMeta.map((name) => `completed-runs.db lacks the description of test ${showValue(name)}`),
  ];
}
