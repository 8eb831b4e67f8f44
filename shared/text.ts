import type { AddressInfo } from "node:net";
import ms from "ms";
import prettyBytes from "pretty-bytes";

/** `1 run`, `1,200 runs` */
export function plural(count: number, noun: string): string {
  return `${countText(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** `12.3 MB` */
export function bytesText(bytes: number): string {
  return prettyBytes(bytes);
}

/** `3m ago`; `-` for null */
export function agoText(time: string | null, now: number = Date.now()): string {
  if (time === null) return "-";
  const since = now - Date.parse(time);
  return Number.isFinite(since) ? `${ms(Math.max(since, 0))} ago` : "-";
}

/** `1,234,567`, of an integer. Loading Intl would slow the start of every command. */
export function countText(count: number): string {
  return String(count).replaceAll(/\B(?=(?:\d{3})+$)/g, ",");
}

export function listeningUrl({ address, family, port }: AddressInfo): string {
  return `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
}
