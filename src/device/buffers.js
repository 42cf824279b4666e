// Gives a device's memory back when the module has let go of it.
//
// wgpu 30 does nothing in a browser when the last handle of a buffer is dropped: the buffer waits for the garbage collector,
// which can't know how much memory hangs on it. Whatever the module still holds is in its table of references; what was
// made and is not there any more is destroyed.

/** Weak, so that whoever never asks for `destroyDropped` has the garbage collector as before. */
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

/** Destroys the buffers of `device` that are not in `table`. No command that is not submitted yet may use them. */
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
