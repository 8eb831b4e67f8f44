const units = ["B", "kB", "MB", "GB", "TB"];

/** `12.3 MB`; a dash if unknown. */
export function bytes(count: number | null | undefined): string {
  if (count == null) return "–";
  if (count < 0) return `−${bytes(-count)}`;
  const power = count < 1 ? 0 : Math.min(Math.floor(Math.log10(count) / 3), units.length - 1);
  const value = count / 1000 ** power;
  return `${power === 0 ? value : value.toPrecision(3)} ${units[power]}`;
}

/** `1,234`; a dash if unknown. */
export function number(count: number | null | undefined): string {
  return count == null ? "–" : count.toLocaleString("en-US");
}

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const steps: [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];

/** `3 hours ago` */
export function ago(time: string): string {
  const seconds = (Date.parse(time) - Date.now()) / 1000;
  if (Number.isNaN(seconds)) return time;
  const [unit, length] = steps.find(([, size]) => Math.abs(seconds) >= size) ?? (["second", 1] as const);
  return relative.format(Math.round(seconds / length), unit);
}

/** `1 run`, `2 runs` */
export function runs(count: number): string {
  return `${number(count)} ${count === 1 ? "run" : "runs"}`;
}

/** Makes control characters and those that change the direction of writing visible. */
export function shown(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}]/gu,
    (character) => `\\u${character.codePointAt(0)?.toString(16).padStart(4, "0")}`,
  );
}

/** `2026-11-30 21:22:05`, by the browser's time zone; the text itself if it is no time. */
export function clock(time: string): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? time : date.toLocaleString("sv-SE");
}
