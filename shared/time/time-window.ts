import { JobsError } from "../errors.ts";

/** Minutes since midnight, by the wall clock. May span midnight. */
export interface TimeWindow {
  from: number;
  to: number;
}

const minute = 60_000;
/** Minutes: a window within an hour skipped by a clock change opens the next day. */
const searched = 2 * 24 * 60;

const named = (what: string | undefined, problem: string) =>
  what === undefined ? problem : `${what}: ${problem}`;

/**
 * Parses `22:00-06:00`.
 *
 * @param what source of the text, for the message
 * @throws {JobsError} `usage`
 */
export function parseWindow(text: string, what?: string): TimeWindow {
  const time = "([01]\\d|2[0-3]):([0-5]\\d)";
  const found = new RegExp(`^${time}-(?:${time}|(24):(00))$`).exec(text);
  const [fromHour, fromMinute, toHour, toMinute] = (found ?? []).slice(1).filter(Boolean).map(Number);
  const window = {
    from: (fromHour ?? 0) * 60 + (fromMinute ?? 0),
    to: (toHour ?? 0) * 60 + (toMinute ?? 0),
  };
  if (found !== null && window.from !== window.to) return window;
  throw new JobsError("usage", named(what, `"${text}" is not a time range`), {
    hint: "write two different times, as in 22:00-06:00",
  });
}

/** @throws {JobsError} `usage` for an unknown time zone */
export function parseZone(text: string, what?: string): string {
  try {
    clockOf(text);
    return text;
  } catch {
    throw new JobsError("usage", named(what, `"${text}" is not a time zone`), {
      hint: "write a name of the tz database, as in Europe/Berlin or UTC",
    });
  }
}

export function ownZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

const clocks = new Map<string, Intl.DateTimeFormat>();

function clockOf(zone: string): Intl.DateTimeFormat {
  const known = clocks.get(zone);
  if (known !== undefined) return known;
  const clock = new Intl.DateTimeFormat("en", {
    timeZone: zone,
    hourCycle: "h23",
    hour: "2-digit",
    minute: "2-digit",
  });
  clocks.set(zone, clock);
  return clock;
}

/** `2026-12-01 02:00 Europe/Berlin`: the wall clock of a zone at `at`, ms since 1970. */
export function zonedText(at: number, zone: string): string {
  // Sweden writes dates as ISO 8601 does.
  const clock = new Intl.DateTimeFormat("sv", { timeZone: zone, dateStyle: "short", timeStyle: "short" });
  return `${clock.format(at)} ${zone}`;
}

/** `at` is in ms since 1970; the window's end is excluded. */
export function isWithin({ from, to }: TimeWindow, at: number, zone: string): boolean {
  const shown = Object.fromEntries(
    clockOf(zone)
      .formatToParts(at)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const now = (shown.hour ?? 0) * 60 + (shown.minute ?? 0);
  return from < to ? from <= now && now < to : from <= now || now < to;
}

/** Returns when the window is open next, ms since 1970. Tries each minute, which handles clock changes. */
export function nextOpening(window: TimeWindow, at: number, zone: string): number {
  if (isWithin(window, at, zone)) return at;
  const first = Math.ceil(at / minute) * minute;
  for (let step = 0; step < searched; step++) {
    if (isWithin(window, first + step * minute, zone)) return first + step * minute;
  }
  return first + searched * minute;
}
