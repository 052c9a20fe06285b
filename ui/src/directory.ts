// Who is found by what a person types. Pure.
import type { PersonView } from "./generated/bindings";

/** The people whose name or id holds `typed`; the echo comes last. */
export function matching(people: readonly PersonView[], typed: string): PersonView[] {
  const wanted = fold(typed);
  const found = people.filter((person) => fold(person.name).includes(wanted) || person.id.includes(wanted));
  return [...found.filter((person) => !person.echo), ...found.filter((person) => person.echo)];
}

/** The id that was typed, when it is one and belongs to nobody in the list; `null` otherwise. */
export function dialled(people: readonly PersonView[], me: string | null, typed: string): string | null {
  const id = typed.trim();
  // Ids are positive integers that JSON carries exactly (IM-Suite §2).
  if (!/^[1-9]\d*$/.test(id) || !Number.isSafeInteger(Number(id)) || id === me) return null;
  return people.some((person) => person.id === id) ? null : id;
}

/** Without case and accents, so that "tomas" finds "Tomás". */
function fold(text: string): string {
  return text.trim().normalize("NFD").replace(/\p{M}/gu, "").toLocaleLowerCase();
}
