"""Shows that the sandbox and torchvision compute the same features from the same weights, in both directions.

    python examples/torchvision_check.py                        # three tiny runs of its own, on random images
    python examples/torchvision_check.py runs/RUN [--step N]    # a run of yours, with a residual network

It needs python with torch, torchvision and safetensors; timm is checked as well where it is installed.
"""
import argparse, importlib.util, subprocess, sys, tempfile
from pathlib import Path
import numpy, torch, torchvision
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

LIMIT = 1e-4
LIBRARIES = {"torchvision": torchvision.models.get_model}
if importlib.util.find_spec("timm"):
    LIBRARIES["timm"] = importlib.import_module("timm").create_model
CONFIG = """
name: {encoder}-{stem}
device: cpu
data: {{source: folder, dir: {dir}, size: {size}}}
views: {{size: {size}, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}}
model: {{encoder: {encoder}, stem: {stem}, hidden: 64, dim: 32}}
method: {{queue: 16}}
loss: {{intra: 1.0, inter: 0.0}}
train: {{epochs: 1, batch: 4, steps: 2}}
eval: {{every: 0, k: 1}}
"""

def sandbox(*words):
    """Runs the program and gives back what it prints."""
    done = subprocess.run([args.sandbox, *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{args.sandbox} {' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
    return done.stdout

def tiny_run(folder, encoder, stem, size, *more):
    """Two steps of training on noise, enough to move every weight and every running statistic."""
    draw = numpy.random.default_rng(0)
    for number in range(12):
        path = folder / "images" / ("train" if number < 8 else "test") / str(number % 2) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 256, (size, size, 3), dtype=numpy.uint8)).save(path)
    (folder / "tiny.yaml").write_text(CONFIG.format(encoder=encoder, stem=stem, size=size, dir=folder / "images"))
    out = folder / f"runs-{len(list(folder.iterdir()))}"
    sandbox("run", "--plain", "--config", folder / "tiny.yaml", "--out", out, *more)
    return next(out.iterdir())

def adapted(model, stem, channels):
    """A model for images of so many channels, with the sandbox's stem and without classifier."""
    if stem == "cifar":
        model.conv1, model.maxpool = torch.nn.Conv2d(channels, 64, 3, padding=1, bias=False), torch.nn.Identity()
    elif channels != 3:
        model.conv1 = torch.nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
    model.fc = torch.nn.Identity()
    return model.eval()

@torch.no_grad()
def compare(what, model, images, found):
    expected = model(images)
    gap, scale = (expected - found).abs().max().item(), expected.abs().max().item()
    print(f"  {what:<44} {gap:.1e} of {scale:.2f}")
    if not gap <= LIMIT:
        failed.append(what)

def check(folder, run, *step):
    file, inputs, outputs = (folder / f"{name}.safetensors" for name in ("encoder", "inputs", "outputs"))
    sandbox("export", run, "-o", file, *step)
    with safe_open(file, "pt") as opened:
        about = opened.metadata()
    encoder, stem, channels = about["encoder"], about["stem"], int(about["channels"])
    size = 32 if stem == "cifar" else 224
    print(f"{encoder}, stem {stem}, {size} px, step {about['step']} of {about['run']}: largest difference of the features")
    images = torch.randn(4, channels, size, size, generator=torch.Generator().manual_seed(0))
    save_file({"images": images}, inputs)

    # Out: our file loads strictly, and the library's features are ours.
    sandbox("embed", run, "--input", inputs, "-o", outputs, "--device", "cpu", *step)
    for library, make in LIBRARIES.items():
        model = adapted(make(encoder), stem, channels)
        model.load_state_dict(load_file(file))
        compare(f"sandbox export -> {library}", model, images, load_file(outputs)["features"])

    # In: torchvision's weights, with statistics that some batches have left, give us torchvision's features.
    torch.manual_seed(1)
    model = adapted(torchvision.models.get_model(encoder), stem, channels).train()
    for _ in range(3):
        model(2 * torch.randn_like(images) + 1)
    theirs = model.eval().state_dict() | {"fc.weight": torch.zeros(1000, 4), "fc.bias": torch.zeros(1000)}
    save_file(theirs, folder / "theirs.safetensors")
    sandbox("embed", run, "--init", folder / "theirs.safetensors", "--input", inputs, "-o", outputs, "--device", "cpu")
    compare("torchvision -> sandbox embed --init", model, images, load_file(outputs)["features"])
    return encoder, stem, size, theirs

def check_training(folder, encoder, stem, size, theirs):
    """A run with --init and no learning rate keeps torchvision's weights bit for bit; only statistics move."""
    run = tiny_run(folder, encoder, stem, size, "--init", folder / "theirs.safetensors", "--set", "optim.lr=0")
    for network in ["query", "key"]:
        sandbox("export", run, "--network", network, "-o", folder / "after.safetensors")
        after = load_file(folder / "after.safetensors")
        weights = [name for name in after if not name.endswith(("running_mean", "running_var", "num_batches_tracked"))]
        changed = [name for name in weights if not torch.equal(after[name], theirs[name])]
        print(f"  torchvision -> sandbox run --init, {network:<9} {len(weights)} weights, {len(changed)} changed")
        failed.extend(changed)

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("run", nargs="?", help="a run's folder")
parser.add_argument("--step", help="its checkpoint after so many steps")
parser.add_argument("--sandbox", default="sandbox", help="the program")
args, failed = parser.parse_args(), []
with tempfile.TemporaryDirectory() as temporary:
    if args.run:
        check(Path(temporary), args.run, *(["--step", args.step] if args.step else []))
    else:
        for encoder, stem, size in [("resnet18", "imagenet", 224), ("resnet50", "imagenet", 224), ("resnet18", "cifar", 32)]:
            folder = Path(temporary) / f"{encoder}-{stem}"
            check_training(folder, *check(folder, tiny_run(folder, encoder, stem, size)))
sys.exit(f"failed: {', '.join(failed)}" if failed else print(f"all within {LIMIT}"))
