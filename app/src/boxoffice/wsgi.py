"""For gunicorn: `gunicorn boxoffice.wsgi:app`."""

from boxoffice.app import create_app
from boxoffice.config import load_settings

app = create_app(load_settings())
