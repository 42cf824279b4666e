// Frees a device's memory once the module has let go of it.
//
// In a browser, wgpu 30 does nothing when the last handle of a buffer is dropped: the buffer waits
// for the garbage collector, which can't know how much memory hangs on it. The module's table of
// references has every buffer that it still holds; any other that it made is destroyed.

/** Weak, so that without `destroyDropped` the garbage collector frees buffers as before. */
const made = new WeakMap();

/** Notes the buffers that `device` makes from now on. */
export function watchBuffers(device) {
  const buffers = new Set();
  made.set(device, buffers);
  device.createBuffer = (descriptor) => {
    const buffer = GPUDevice.prototype.createBuffer.call(device, descriptor);
    buffers.add(new WeakRef(buffer));
    return buffer;
  };
}

/**
 * Destroys buffers of `device` that are not in `table`. Commands that use them must be submitted.
 */
export function destroyDropped(device, table) {
  const held = new Set();
  for (let index = 0; index < table.length; index += 1) {
    const reference = table.get(index);
    if (reference instanceof GPUBuffer) {
      held.add(reference);
    }
  }
  const buffers = made.get(device) ?? new Set();
  for (const reference of buffers) {
    const buffer = reference.deref();
    if (buffer === undefined || !held.has(buffer)) {
      buffer?.destroy();
      buffers.delete(reference);
    }
  }
}
