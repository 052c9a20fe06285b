// What a list of devices offers to choose from, and how long the bar of a level is. Pure.
import type { DeviceView } from "./generated/bindings";

/** One line of a list. */
export type Choice = { spec: string; name: string };

/** What the list needs words for. */
export type ChoiceWords = { asSystem: (name: string | null) => string; missing: (name: string) => string };

/** What the system uses, then every device; the chosen one stays in the list while it is away. */
export function choices(devices: readonly DeviceView[], chosen: string, words: ChoiceWords): Choice[] {
  const system = devices.find((device) => device.is_default)?.name ?? null;
  const listed = [{ spec: "default", name: words.asSystem(system) }, ...devices.map(({ spec, name }) => ({ spec, name }))];
  if (listed.some(({ spec }) => spec === chosen)) return listed;
  const hardware = /^(?:mic|speaker):(.*)$/s.exec(chosen)?.[1];
  // A file or a tone of the command line is always there.
  return [...listed, { spec: chosen, name: hardware === undefined ? chosen : words.missing(hardware) }];
}

/** dBFS at the left end of a meter. */
export const LEAST_DB = -60;

/** The part 0..1 of a meter that a level fills. */
export function filled(db: number): number {
  return Math.min(1, Math.max(0, 1 - db / LEAST_DB));
}

/** The dBFS of an amplitude 0..1, no lower than a meter shows. */
export function decibels(amplitude: number): number {
  return amplitude > 0 ? Math.max(LEAST_DB, 20 * Math.log10(amplitude)) : LEAST_DB;
}
