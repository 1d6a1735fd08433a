"""What is trained: perceptron and MLPs, ConvNets, ResNets, and a head on features or on a user's backbone.

Every model is a `Classifier`: `features` gives [B,D], `head` turns them into logits [B,K]. Models know neither data
nor noise; they are sized by the shape of an example and the number of classes alone.
"""

from murk.models.backbone import Backbone, backbone
from murk.models.embedding import CosineHead, Embedding
from murk.models.head import Classifier
from murk.models.registry import build, names, options, tensor_shapes
from murk.models.settings import ModelSettings

__all__ = [
    "Backbone", "Classifier", "CosineHead", "Embedding", "ModelSettings", "backbone", "build", "names", "options",
    "tensor_shapes",
]  # fmt: skip
