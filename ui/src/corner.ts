// The four corners the own picture snaps to. Pure.

export type Corner = "top-left" | "top-right" | "bottom-left" | "bottom-right";

type Box = { left: number; top: number; width: number; height: number };

/** The corner whose quarter of `box` holds the point. */
export function cornerAt(x: number, y: number, box: Box): Corner {
  return corner(y < box.top + box.height / 2, x < box.left + box.width / 2);
}

/** The corner after an arrow key, `null` for any other key. */
export function cornerAfterKey(from: Corner, key: string): Corner | null {
  const top = from.startsWith("top");
  const left = from.endsWith("left");
  switch (key) {
    case "ArrowUp":
      return corner(true, left);
    case "ArrowDown":
      return corner(false, left);
    case "ArrowLeft":
      return corner(top, true);
    case "ArrowRight":
      return corner(top, false);
    default:
      return null;
  }
}

function corner(top: boolean, left: boolean): Corner {
  if (top) return left ? "top-left" : "top-right";
  return left ? "bottom-left" : "bottom-right";
}
