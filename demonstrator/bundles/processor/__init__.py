"""The processor as a bundle, in plain Python: the identity."""

from pelix.ipopo.decorators import ComponentFactory, Instantiate

from demonstrator.components.processor import ProcessorService


@ComponentFactory("inaetics.processor.identity")
@Instantiate("processor")
class IdentityProcessor(ProcessorService):
    """The processor in plain Python."""
