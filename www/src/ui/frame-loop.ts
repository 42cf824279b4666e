/** Calls `draw` at most once a frame, and only after it was asked for: tokens come faster than screens change. */
export function oncePerFrame(draw: () => void): () => void {
  let asked = false;
  return () => {
    if (!asked) {
      asked = true;
      requestAnimationFrame(() => {
        asked = false;
        draw();
      });
    }
  };
}
