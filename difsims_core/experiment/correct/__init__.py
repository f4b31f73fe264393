"""What detector and microscope did to a scan, found and given back: pixels, beam, drift, ellipse."""
