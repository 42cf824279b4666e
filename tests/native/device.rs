//! Opening, reading and losing a native adapter.

use burn::tensor::{Tensor, TensorData};
use kvscope::device::{Gpu, GpuError, GpuFeature, GpuOptions, LossReason};
use std::env;
use std::process::Command;

fn open(options: GpuOptions) -> Result<Gpu, GpuError> {
    Gpu::open_blocking(options)
}

#[test]
fn reports_what_it_got() {
    let gpu = open(GpuOptions::default()).unwrap();
    let report = gpu.report();
    assert!(!report.name.is_empty());
    let (device, _) = gpu.wgpu();
    for feature in GpuFeature::ALL {
        assert_eq!(
            report.features.contains(&feature),
            device.features().contains(feature.as_wgpu()),
            "{feature:?}"
        );
    }
}

#[test]
fn withheld_features_are_not_there() {
    let options = GpuOptions {
        withhold: GpuFeature::ALL.to_vec(),
        ..GpuOptions::default()
    };
    assert_eq!(open(options).unwrap().report().features, []);
}

/// Set for the process that `work_may_be_left_unread` starts.
const ALONE: &str = "KVSCOPE_TEST_ALONE";

/// A process that ran this test alone ends well. Software adapters crashed at a process's end while
/// work was on its way.
#[test]
fn work_may_be_left_unread() {
    if env::var_os(ALONE).is_some() {
        return leave_work_unread();
    }
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "device::work_may_be_left_unread"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{}, {said}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}

fn leave_work_unread() {
    let gpu = open(GpuOptions::default()).unwrap();
    let mut product = Tensor::<2>::ones([192, 192], gpu.device());
    for _ in 0..8 {
        product = product.clone().matmul(product.transpose()).tanh();
    }
    let sum = product.clone().exp().sum_dim(0).log();
    assert_eq!((product - sum).dims(), [192, 192]);
}

#[test]
fn a_limit_no_adapter_has_is_named() {
    let options = GpuOptions {
        storage_binding_bytes: Some(u64::MAX),
        ..GpuOptions::default()
    };
    match open(options).err() {
        Some(error @ GpuError::LimitTooSmall { .. }) => {
            assert_eq!(error.code(), "limit-too-small");
            assert!(error.to_string().contains("maxStorageBufferBindingSize"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_lost_device_says_so_and_a_new_one_works() {
    let lost = open(GpuOptions::default()).unwrap();
    let tensor = Tensor::<1>::ones([4], lost.device());
    lost.destroy();
    let loss = pollster::block_on(lost.lost());
    assert_eq!(loss.reason, LossReason::Destroyed);
    assert_eq!(
        pollster::block_on(lost.read(tensor)),
        Err(GpuError::DeviceLost(loss))
    );

    let next = open(GpuOptions::default()).unwrap();
    let sum = Tensor::<1>::from_data(TensorData::from([1.0, 2.0, 3.0]), next.device()).sum();
    let sum = pollster::block_on(next.read(sum)).unwrap();
    assert_eq!(sum.try_to_vec::<f32>().unwrap(), [6.0]);
}

#[test]
fn options_with_an_unknown_name_are_refused() {
    let refused = serde_json::from_str::<GpuOptions>(r#"{"powerPreferance":"low-power"}"#);
    assert!(refused.unwrap_err().to_string().contains("powerPreferance"));
}
