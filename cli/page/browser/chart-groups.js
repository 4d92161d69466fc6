const splits = /^(train(?:ing)?|valid(?:ation)?|val|dev|test|eval)[_/.\s-]+/i;

/** Which part of the data a metric is of: the dashes of its line tell. */
function splitOf({ name, source }) {
  if (source === "log") return "logged";
  const found = splits.exec(name)?.[1]?.toLowerCase();
  if (found === undefined) return "";
  return found.startsWith("train") ? "train" : found.startsWith("val") || found === "dev" ? "valid" : found;
}

/** Loss is looked at first, the rate at which it learned last. */
const order = (title) => (/loss/i.test(title) ? 0 : /lr|learning.rate/i.test(title) ? 2 : 1);

/**
 * Puts the series of several experiments into charts: the same metric on different data and of different experiments
 * shares one.
 * @param experiments `{ id, name, color, series }`
 */
export function chartsOf(experiments) {
  const charts = new Map();
  for (const { id, name, color, series } of experiments) {
    for (const each of series) {
      const metric = each.name.replace(splits, "");
      const key = `${metric} by ${each.axis}`;
      const chart = charts.get(key) ?? { key, metric, axis: each.axis, lines: [] };
      charts.set(key, chart);
      chart.lines.push({
        key: `${id} ${each.source} ${each.name}`,
        experiment: name,
        color,
        split: splitOf(each),
        ...each,
      });
    }
  }
  return [...charts.values()]
    .filter(({ lines }) => lines.some(({ xs }) => xs.length > 0))
    .sort((a, b) => order(a.metric) - order(b.metric));
}
