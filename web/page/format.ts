/** Sizes, times and dates as people write them, in the reader's language. */

import { localeOfPage, t } from "./words.ts";

const LARGER = ["kilobyte", "megabyte", "gigabyte", "terabyte"] as const;

/** Bytes in decimal units: `0 byte`, `12 kB`, `1.4 MB`. */
export function formatBytes(bytes: number, locale = localeOfPage()): string {
  let value = bytes;
  let unit: "byte" | (typeof LARGER)[number] = "byte";
  for (const larger of LARGER) {
    if (value < 999.5) break;
    value /= 1000;
    unit = larger;
  }
  const digits = unit !== "byte" && unit !== "kilobyte" && value < 99.95 ? 1 : 0;
  return formatter(`${unit} ${digits} ${locale}`, () => {
    const unitDisplay = unit === "byte" ? "long" : "short";
    return new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay, maximumFractionDigits: digits });
  }).format(value);
}

/** How long it will take, roughly: `5 s left`, `2 min left`. */
export function formatLeft(seconds: number): string {
  if (seconds < 1) return t("almost done");
  if (seconds < 55) {
    return t("{seconds} s left", { seconds: seconds < 10 ? Math.ceil(seconds) : Math.ceil(seconds / 5) * 5 });
  }
  if (seconds < 3300) return t("{minutes} min left", { minutes: Math.round(seconds / 60) });
  return t("{hours} h left", { hours: formatNumber(Math.round(seconds / 360) / 10) });
}

/** How fast a transfer goes: `1.4 MB/s`. Bytes a second. */
export function formatSpeed(rate: number): string {
  return t("{bytes}/s", { bytes: formatBytes(Math.round(rate)) });
}

/** That the server asked to come later; `milliseconds` until then. */
export function formatWait(milliseconds: number): string {
  return t("The server asks to wait {seconds} s …", { seconds: Math.ceil(milliseconds / 1000) });
}

/** A moment in words: the time for today, the day for this year, else the date. */
export function formatMoment(moment: Date, now: Date = new Date(), locale = localeOfPage()): string {
  if (Number.isNaN(moment.getTime())) return "";
  const time = formatter(
    `time ${locale}`,
    () => new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" }),
  ).format(moment);
  const days = (startOfDay(moment) - startOfDay(now)) / 86_400_000;
  const near = Math.round(days);
  if (Math.abs(near) <= 1) {
    const words = formatter(`day ${locale}`, () => new Intl.RelativeTimeFormat(locale, { numeric: "auto" }));
    const day = words.format(near, "day");
    return `${day}, ${time}`;
  }
  const year = moment.getFullYear() === now.getFullYear() ? undefined : ("numeric" as const);
  return formatter(
    `date ${year} ${locale}`,
    () => new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year }),
  ).format(moment);
}

const formatters = new Map<string, unknown>();

/** Making one takes longer than all that it will format of a list. */
function formatter<T>(name: string, make: () => T): T {
  const made = formatters.get(name) ?? make();
  formatters.set(name, made);
  return made as T;
}

/** How far off a moment is, in its largest unit: `in 23 hours`. */
export function formatRemaining(moment: Date, now: Date = new Date(), locale = localeOfPage()): string {
  const minutes = Math.floor((moment.getTime() - now.getTime()) / 60_000);
  const words = new Intl.RelativeTimeFormat(locale, { numeric: "always" });
  if (Math.abs(minutes) < 120) return words.format(minutes, "minute");
  if (Math.abs(minutes) < 2880) return words.format(Math.trunc(minutes / 60), "hour");
  return words.format(Math.trunc(minutes / 1440), "day");
}

/** A number as the reader writes it. */
export function formatNumber(number: number, locale = localeOfPage()): string {
  return new Intl.NumberFormat(locale).format(number);
}

/** A moment to the second, for what is looked up. */
export function formatStamp(moment: Date, locale = localeOfPage()): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" }).format(moment);
}

/** The time of day to the second, of what is of today. */
export function formatTime(moment: Date, locale = localeOfPage()): string {
  return new Intl.DateTimeFormat(locale, { timeStyle: "medium" }).format(moment);
}

/** A day without its time. */
export function formatDay(moment: Date, locale = localeOfPage()): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: "medium" }).format(moment);
}

function startOfDay(moment: Date): number {
  return new Date(moment.getFullYear(), moment.getMonth(), moment.getDate()).getTime();
}

/** The start and end of a measurement, enough to compare by eye; the whole value goes into the title. */
export function formatMeasurement(measurement: string): string {
  const value = measurement.replace(/^sha\d+-/, "");
  return value.length > 14 ? `${value.slice(0, 6)}…${value.slice(-6)}` : value;
}

/** Up to four letters for the kind of a document: its extension, or what its media type says. */
export function formatKind(name: string, type: string): string {
  const extension = /\.([A-Za-z0-9]{1,4})$/.exec(name)?.[1];
  if (extension) return extension.toUpperCase();
  const [group] = type.split("/");
  return group === "image" || group === "text" || group === "video" || group === "audio"
    ? group.slice(0, 4).toUpperCase()
    : "FILE";
}
