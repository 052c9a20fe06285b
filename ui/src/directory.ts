// Who is found by what a person types. Pure.
import type { FoundView, PersonView } from "./generated/bindings";

/** The people whose name or id holds `typed`; the echo comes last. */
export function matching(people: readonly PersonView[], typed: string): PersonView[] {
  const wanted = fold(typed);
  const found = people.filter((person) => fold(person.name).includes(wanted) || person.id.includes(wanted));
  return [...found.filter((person) => !person.echo), ...found.filter((person) => person.echo)];
}

/** Whom the server found beyond the list: not for another text than the one that stands there. */
export function beyond(people: readonly PersonView[], found: FoundView | null, typed: string): PersonView[] {
  if (found === null || found.keyword !== typed.trim()) return [];
  const listed = new Set(people.map((person) => person.id));
  return found.people.filter((person) => !listed.has(person.id));
}

/** Whether a text is worth asking the server for: a letter or two find everybody, an id is dialled. */
export function worthSearching(typed: string): boolean {
  const text = typed.trim();
  // One Chinese character can be a name.
  return !/^\d+$/.test(text) && (text.length >= 2 || /\p{Script=Han}/u.test(text));
}

/**
 * The id that was typed, when it is one and belongs to nobody in the list; `null` otherwise. On a server of rooms every
 * text is the name of one.
 */
export function dialled(people: readonly PersonView[], me: string | null, typed: string, rooms: boolean): string | null {
  const id = typed.trim();
  if (isInvitation(id)) return null;
  if (id === me || people.some((person) => person.id === id)) return null;
  if (rooms) return id === "" ? null : id;
  // Ids are positive integers that JSON carries exactly (IM-Suite §2).
  return /^[1-9]\d*$/.test(id) && Number.isSafeInteger(Number(id)) ? id : null;
}

/** Whether a link to a room was pasted in place of a name; what it says is read by the shell. */
export function isInvitation(typed: string): boolean {
  return /^ahoy:/i.test(typed.trim());
}

/** Without case and accents, so that "tomas" finds "Tomás". */
function fold(text: string): string {
  return text.trim().normalize("NFD").replace(/\p{M}/gu, "").toLocaleLowerCase();
}
