"""The viewer as a bundle: the live page at /, of what the coordinator knows."""

from collections.abc import Iterable

from aiohttp import web
from pelix.framework import BundleContext
from pelix.ipopo.decorators import ComponentFactory, Instantiate, Provides, Requires, Validate

from demonstrator.bundles.viewer.page import Page
from demonstrator.model.overview import Coordinator
from demonstrator.platform.spi import WebEndpoints


@ComponentFactory("inaetics.viewer")
@Provides(WebEndpoints)
@Requires("_coordinator", Coordinator)
@Instantiate("viewer")
class ViewerComponent:
    """Shows the page while there is a coordinator."""

    _coordinator: Coordinator
    _page: Page

    @Validate
    def start(self, context: BundleContext) -> None:
        """Make the page."""
        self._page = Page(self._coordinator)

    def routes(self) -> Iterable[web.RouteDef]:
        """See WebEndpoints.routes."""
        return self._page.routes()
