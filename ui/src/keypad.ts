// The twelve keys of a telephone, in their order. Pure.

/** A key and the letters that stand on it (ITU-T E.161). */
export const KEYS = [
  { digit: "1", letters: "" },
  { digit: "2", letters: "ABC" },
  { digit: "3", letters: "DEF" },
  { digit: "4", letters: "GHI" },
  { digit: "5", letters: "JKL" },
  { digit: "6", letters: "MNO" },
  { digit: "7", letters: "PQRS" },
  { digit: "8", letters: "TUV" },
  { digit: "9", letters: "WXYZ" },
  { digit: "*", letters: "" },
  { digit: "0", letters: "" },
  { digit: "#", letters: "" },
] as const;

/** Whether a key of the keyboard is one of them. */
export function isDigit(key: string): boolean {
  return KEYS.some(({ digit }) => digit === key);
}
