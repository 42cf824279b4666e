declare global {
  /** Devices that were opened where {@link rememberDevices} was run. */
  var devices: GPUDevice[];
}

/** Keeps each device that is opened, for a test to destroy. Runs where the devices are. */
export function rememberDevices(): void {
  globalThis.devices = [];
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function remembering(...wishes) {
    const device = await requestDevice.apply(this, wishes);
    globalThis.devices.push(device);
    return device;
  };
}
