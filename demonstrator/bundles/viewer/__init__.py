"""The viewer as a bundle: live pages of what the coordinator publishes."""

from collections.abc import Iterable

from aiohttp import web
from pelix.framework import BundleContext
from pelix.ipopo.decorators import ComponentFactory, Instantiate, Invalidate, Provides, Requires, Validate

from demonstrator.bundles.viewer.page import Pages
from demonstrator.model.overview import Coordinator
from demonstrator.platform import WebEndpoints


@ComponentFactory("inaetics.viewer")
@Provides(WebEndpoints)
@Requires("_coordinator", Coordinator)
@Instantiate("viewer")
class ViewerComponent:
    """Serves the pages while there is a coordinator."""

    _coordinator: Coordinator
    _pages: Pages

    @Validate
    def start(self, _context: BundleContext) -> None:
        """Render the pages."""
        self._pages = Pages(self._coordinator)

    @Invalidate
    def stop(self, _context: BundleContext) -> None:
        """End the streams of the open pages."""
        self._pages.close()

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the paths of the pages."""
        return self._pages.routes()
