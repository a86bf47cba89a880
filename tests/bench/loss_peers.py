"""What a practitioner would write in PyTorch for each loss: eager, on the same inputs, with the conventions of Gradeline's defaults.

A peer takes the inputs by name and returns the loss. Labels come as int64, or as floats where a peer says FLOAT_LABELS.
"""

import torch
import torch.nn.functional as F
from torchvision import ops

FLOAT_LABELS = {"binary_cross_entropy", "focal/binary:alpha=0.25", "asymmetric", "lovasz_hinge"}


def one_hot_focal(x):
    wanted = F.one_hot(x["target"], x["prediction"].shape[1]).to(x["prediction"].dtype)
    return ops.sigmoid_focal_loss(x["prediction"], wanted, alpha=0.25, gamma=2, reduction="mean")


def softmax_focal(x, gamma=2):
    log_p = F.log_softmax(x["prediction"], 1).gather(1, x["target"].unsqueeze(1)).squeeze(1)
    return ((1 - log_p.exp()) ** gamma * -log_p).mean()


def poly1(x, epsilon=1):
    nll = F.cross_entropy(x["prediction"], x["target"], reduction="none")
    return (nll + epsilon * (1 - torch.exp(-nll))).mean()


def class_balanced(x, beta=0.999):
    samples = 1 + 37 * torch.arange(x["prediction"].shape[1]) % 1000
    weights = (1 - beta) / (1 - beta ** samples.double()).to(x["prediction"].dtype)
    return F.cross_entropy(x["prediction"], x["target"], weight=weights / weights.sum() * len(weights))


def asymmetric(x, negative=4, positive=1, clip=0.05, eps=1e-8):
    y, p = x["target"], torch.sigmoid(x["prediction"])
    missed = (1 - p + clip).clamp(max=1)
    log = y * torch.log(p.clamp(min=eps)) + (1 - y) * torch.log(missed.clamp(min=eps))
    chance = p * y + missed * (1 - y)
    return -(log * (1 - chance) ** (positive * y + negative * (1 - y))).sum() / len(y)


def kl_divergence(x):
    return F.kl_div(F.log_softmax(x["prediction"], 1), x["target"], reduction="batchmean")


def overlap(x):
    """Probabilities and one-hot targets, [N, C, pixels]."""
    logits = x["prediction"].flatten(2) if x["prediction"].dim() > 2 else x["prediction"].t().unsqueeze(0)
    classes = logits.shape[1]
    labels = x["target"].reshape(logits.shape[0], -1)
    return logits.softmax(1), F.one_hot(labels, classes).movedim(-1, 1).to(logits.dtype)


def class_sums(x):
    p, y = overlap(x)
    return (p * y).sum((0, 2)), p.sum((0, 2)), y.sum((0, 2))


def present_mean(losses, y):
    return losses[y > 0].mean()


def dice(x, eps=1e-7):
    both, p, y = class_sums(x)
    return present_mean(1 - 2 * both / (p + y).clamp(min=eps), y)


def generalized_dice(x, smooth=1e-5):
    both, p, y = class_sums(x)
    weight = 1 / (y * y).clamp(min=1)
    return 1 - (2 * (weight * both).sum() + smooth) / ((weight * (p + y)).sum() + smooth)


def jaccard(x, eps=1e-7):
    both, p, y = class_sums(x)
    return present_mean(1 - both / (p + y - both).clamp(min=eps), y)


def tversky_index(x, fp=0.5, fn=0.5, eps=1e-7):
    both, p, y = class_sums(x)
    return both / (both + fp * (p - both) + fn * (y - both)).clamp(min=eps), y


def tversky(x):
    index, y = tversky_index(x)
    return present_mean(1 - index, y)


def focal_tversky(x, gamma=0.75):
    index, y = tversky_index(x)
    return present_mean((1 - index) ** gamma, y)


def cross_entropy(x):
    return F.cross_entropy(x["prediction"], x["target"])


def cross_entropy_iou(x):
    return (cross_entropy(x) + jaccard(x)) / 2


def jaccard_steps(sorted_truth):
    """How much each pixel, worst first, adds to the Jaccard loss of the set that is wrong."""
    truths = sorted_truth.sum()
    union = truths + (1 - sorted_truth).cumsum(0)
    loss = 1 - (truths - sorted_truth.cumsum(0)) / union
    return torch.cat([loss[:1], loss[1:] - loss[:-1]])


def lovasz_softmax(x):
    logits = x["prediction"]
    p = logits.softmax(1).movedim(1, 0).flatten(1)
    labels = x["target"].flatten()
    losses = []
    for k in labels.unique().tolist():
        truth = (labels == k).to(p.dtype)
        errors, order = torch.sort((truth - p[k]).abs(), descending=True)
        losses.append(torch.dot(errors, jaccard_steps(truth[order])))
    return torch.stack(losses).mean()


def lovasz_hinge(x):
    losses = []
    for logits, truth in zip(x["prediction"].flatten(1), x["target"].flatten(1)):
        errors, order = torch.sort(1 - logits * (2 * truth - 1), descending=True)
        losses.append(torch.dot(F.relu(errors), jaccard_steps(truth[order])))
    return torch.stack(losses).mean()


def ohem(x, share=0.25):
    losses = F.cross_entropy(x["prediction"], x["target"], reduction="none").flatten()
    return losses.topk(round(share * len(losses))).values.mean()


def boundary(x):
    return (x["prediction"].softmax(1) * x["distance"]).sum(1).mean()


def box_smooth_l1(x):
    return F.smooth_l1_loss(x["prediction"], x["target"], reduction="sum") / len(x["target"])


def box_iou_log(x, eps=1e-6):
    p, t = x["prediction"], x["target"]
    sides = (torch.min(p[:, 2:], t[:, 2:]) - torch.max(p[:, :2], t[:, :2])).clamp(min=0)
    both = sides[:, 0] * sides[:, 1]
    areas = [(box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1]) for box in (p, t)]
    return -(both / (areas[0] + areas[1] - both)).clamp(min=eps).log().mean()


def quality_focal(x, beta=2):
    logits, labels = x["prediction"], x["target"]
    quality = x["quality"]
    p = logits.sigmoid()
    losses = F.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits), reduction="none") * p ** beta
    rows = (labels < logits.shape[1]).nonzero().squeeze(1)
    wanted, chosen = quality[rows], logits[rows, labels[rows]]
    hit = F.binary_cross_entropy_with_logits(chosen, wanted, reduction="none") * (wanted - chosen.sigmoid()).abs() ** beta
    return losses.index_put((rows, labels[rows]), hit).sum(1).mean()


def distribution_focal(x):
    logits, target = x["prediction"].flatten(0, 1), x["target"].flatten()
    low = target.long().clamp(max=logits.shape[1] - 2)
    right = target - low
    losses = (F.cross_entropy(logits, low, reduction="none") * (1 - right)
              + F.cross_entropy(logits, low + 1, reduction="none") * right)
    return losses.mean()


def varifocal(x, alpha=0.75, gamma=2):
    logits, labels = x["prediction"], x["target"]
    rows = (labels < logits.shape[1]).nonzero().squeeze(1)
    q = torch.zeros_like(logits)
    q[rows, labels[rows]] = x["quality"][rows]
    weight = torch.where(q > 0, q, alpha * logits.sigmoid() ** gamma)
    return (weight * F.binary_cross_entropy_with_logits(logits, q, reduction="none")).mean()


def seesaw(x, p=0.8, q=2.0, eps=1e-2):
    logits, labels = x["prediction"], x["target"]
    counts = x["class_counts"].clamp(min=1)
    ratio = counts[None, :] / counts[:, None]  # [target, other]
    mitigation = torch.where(ratio < 1, ratio ** p, torch.ones_like(ratio))[labels]
    chance = logits.detach().softmax(1)
    own = chance.gather(1, labels[:, None]).clamp(min=eps)
    compensation = torch.where(chance > own, (chance / own) ** q, torch.ones_like(chance))
    factor = (mitigation * compensation).scatter(1, labels[:, None], 1)
    return F.cross_entropy(logits + factor.log(), labels)


def named(function, **options):
    return lambda x: function(x["prediction"], x["target"], **options)


# By loss and parameters, as loss_bench names them.
PEERS = {
    "mse": named(F.mse_loss),
    "l1": named(F.l1_loss),
    "smooth_l1": named(F.smooth_l1_loss),
    "huber": named(F.huber_loss),
    "cross_entropy": cross_entropy,
    "binary_cross_entropy": named(F.binary_cross_entropy_with_logits),
    "focal/binary:alpha=0.25": named(ops.sigmoid_focal_loss, alpha=0.25, gamma=2, reduction="mean"),
    "focal:activation=sigmoid;alpha=0.25": one_hot_focal,
    "focal:activation=softmax": softmax_focal,
    "poly1_cross_entropy": poly1,
    "class_balanced_cross_entropy:samples_per_class=cycle": class_balanced,
    "asymmetric": asymmetric,
    "kl_divergence": kl_divergence,
    "dice": dice,
    "generalized_dice": generalized_dice,
    "jaccard": jaccard,
    "tversky": tversky,
    "focal_tversky": focal_tversky,
    "dice_cross_entropy": lambda x: dice(x) + cross_entropy(x),
    "cross_entropy_iou_2d": cross_entropy_iou,
    "lovasz_softmax": lovasz_softmax,
    "lovasz_hinge": lovasz_hinge,
    "ohem_cross_entropy:k=0.25": ohem,
    "boundary": boundary,
    "bounding_box_regression:type=smooth_l1": box_smooth_l1,
    "bounding_box_regression:type=giou": named(ops.generalized_box_iou_loss, reduction="mean"),
    "bounding_box_regression:type=diou": named(ops.distance_box_iou_loss, reduction="mean"),
    "bounding_box_regression:type=ciou": named(ops.complete_box_iou_loss, reduction="mean"),
    "iou": box_iou_log,
    "quality_focal": quality_focal,
    "distribution_focal": distribution_focal,
    "varifocal": varifocal,
    "seesaw": seesaw,
}
