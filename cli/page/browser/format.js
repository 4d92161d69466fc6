const units = ["B", "KiB", "MiB", "GiB", "TiB"];

/** Bytes in the unit that fits. */
export function bytes(count) {
  const power = count < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(count) / 10));
  const value = count / 1024 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}

/** Seconds as the two largest units. */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return whole % 60 === 0 ? `${minutes} min` : `${minutes} min ${whole % 60} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** A step's time: tenths where it was short. */
export function stepTime(milliseconds) {
  return milliseconds < 9950 ? `${(Math.max(0, milliseconds) / 1000).toFixed(1)} s` : duration(milliseconds / 1000);
}

export function dollars(amount) {
  return `$${amount.toFixed(2)}`;
}

/** Four digits that matter. What is no finite number comes as null. */
export function number(value) {
  if (value === null) return "not finite";
  if (value === 0 || Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  if (size < 1e-3 || size >= 1e6) return value.toExponential(2);
  return size >= 1000 ? value.toFixed(0) : Number(value.toPrecision(4)).toString();
}

const clockFormat = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dayFormat = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

/** Time of day, with the day where that is another one than today's. */
export function clock(at) {
  const date = new Date(at);
  const time = clockFormat.format(date);
  return date.toDateString() === new Date().toDateString() ? time : `${dayFormat.format(date)}, ${time}`;
}

/** How long ago. */
export function ago(at, now) {
  const seconds = (now - at) / 1000;
  if (seconds < 5) return "just now";
  return `${duration(seconds < 60 ? seconds : seconds < 3600 ? seconds - (seconds % 60) : seconds - (seconds % 3600))} ago`;
}

/** `valid_token_error_rate` → `valid token error rate`. */
export function words(name) {
  return name.replace(/[_/]+/g, " ").trim();
}
